//! A connection before there is a session: hear what the domain offers, sign in, register or recover.
//!
//! Owns the way from options to a signed-in device in the store. A wrong password leaves the connection as it was.

use startalk_protocol::{
    AccountName,
    pb::client::{Recover, Register, SignIn, SignedIn, Welcome, client_frame::Frame},
};

use crate::{
    Account, ClientError, Events, Options, Session,
    dial::{Dial, NetDial},
    session::{Start, now_ms},
    store::Store,
    wire::Connection,
};

/// A connection to the domain, whose key was checked.
pub struct Client {
    options: Options,
    dial: Box<dyn Dial>,
    store: Box<dyn Store>,
    connection: Connection,
    entered: Option<Entered>,
}

struct Entered {
    account: Account,
    new_device: bool,
}

/// What registration and recovery give besides: shown once, to be kept on paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Each lets one in once, with a new password.
    pub codes: Vec<String>,
}

impl Client {
    /// Finds the domain, connects, and greets.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn connect(options: Options, store: Box<dyn Store>) -> Result<Self, ClientError> {
        let dial = Box::new(NetDial::new(&options)?);
        Self::connect_with(options, store, dial).await
    }

    /// As [`Client::connect`], over connections that `dial` opens.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn connect_with(options: Options, mut store: Box<dyn Store>, mut dial: Box<dyn Dial>) -> Result<Self, ClientError> {
        let known = store.home();
        let dialled = dial.dial(known.as_ref(), now_ms()).await?;
        let connection = Connection::greet(dialled.stream, &options.client, &options.language).await?;
        if let Some(home) = &dialled.home {
            store.set_home(home).map_err(|e| ClientError::store(&e))?;
        }
        Ok(Self { options, dial, store, connection, entered: None })
    }

    /// What the node said of its domain: name, registration, limits.
    pub fn welcome(&self) -> &Welcome {
        &self.connection.welcome
    }

    /// The account in the store, if this device has signed in before.
    pub fn account(&self) -> Option<Account> {
        self.store.account()
    }

    /// Signs in as a new device.
    ///
    /// # Errors
    /// The node's reason; one may try again.
    pub async fn sign_in(&mut self, name: &str, password: &str, device_name: &str) -> Result<(), ClientError> {
        let name = own_name(name)?;
        let frame = SignIn { name, password: password.to_owned(), device_name: device_name.to_owned() };
        self.enter(Frame::SignIn(frame)).await.map(|_| ())
    }

    /// Makes an account and signs in. `invitation`: from a link; empty where registration is open.
    ///
    /// # Errors
    /// The node's reason; one may try again.
    pub async fn register(
        &mut self,
        name: &str,
        password: &str,
        display_name: &str,
        invitation: &str,
        device_name: &str,
    ) -> Result<Recovery, ClientError> {
        let frame = Register {
            name: own_name(name)?,
            password: password.to_owned(),
            device_name: device_name.to_owned(),
            display_name: display_name.to_owned(),
            invitation: invitation.to_owned(),
        };
        let signed_in = self.enter(Frame::Register(frame)).await?;
        Ok(Recovery { codes: signed_in.recovery_codes })
    }

    /// Sets a new password with a recovery code, and signs in.
    ///
    /// # Errors
    /// The node's reason; one may try again.
    pub async fn recover(
        &mut self,
        name: &str,
        code: &str,
        new_password: &str,
        device_name: &str,
    ) -> Result<Recovery, ClientError> {
        let frame = Recover {
            name: own_name(name)?,
            code: code.to_owned(),
            new_password: new_password.to_owned(),
            device_name: device_name.to_owned(),
        };
        let signed_in = self.enter(Frame::Recover(frame)).await?;
        Ok(Recovery { codes: signed_in.recovery_codes })
    }

    async fn enter(&mut self, frame: Frame) -> Result<SignedIn, ClientError> {
        let signed_in = self.connection.enter(frame).await?;
        if signed_in.token.is_empty() {
            return Err(ClientError::Protocol("expected a token".to_owned()));
        }
        let account = Account {
            user: signed_in.user.clone(),
            device: signed_in.device,
            token: signed_in.token.to_vec(),
            counter: signed_in.counter,
            administrator: signed_in.administrator,
        };
        self.store.set_account(Some(&account)).map_err(|e| ClientError::store(&e))?;
        self.entered = Some(Entered { account, new_device: true });
        Ok(signed_in)
    }

    /// Begins the session on this connection.
    ///
    /// # Errors
    /// `ended` if nobody has signed in; `store` if the store cannot be read.
    pub fn start(self) -> Result<(Session, Events), ClientError> {
        let Entered { account, new_device } = self.entered.ok_or(ClientError::Ended)?;
        Start {
            options: self.options,
            dial: self.dial,
            store: self.store,
            account,
            new_device,
            connection: Some(self.connection),
        }
        .run()
    }
}

impl Session {
    /// Goes on as the device in the store, without waiting for a connection.
    ///
    /// # Errors
    /// `ended` if the store has no account; `store` if it cannot be read.
    pub fn resume(options: Options, store: Box<dyn Store>) -> Result<(Self, Events), ClientError> {
        let dial = Box::new(NetDial::new(&options)?);
        Self::resume_with(options, store, dial)
    }

    /// As [`Session::resume`], over connections that `dial` opens.
    ///
    /// # Errors
    /// As there.
    pub fn resume_with(options: Options, store: Box<dyn Store>, dial: Box<dyn Dial>) -> Result<(Self, Events), ClientError> {
        let account = store.account().ok_or(ClientError::Ended)?;
        Start { options, dial, store, account, new_device: false, connection: None }.run()
    }
}

/// The name alone, also if it was given with its domain.
fn own_name(name: &str) -> Result<String, ClientError> {
    let bare = name.split_once('@').map_or(name, |(bare, _)| bare);
    bare.parse::<AccountName>().map(|n| n.to_string()).map_err(|e| ClientError::Input(e.to_string()))
}
