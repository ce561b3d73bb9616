//! Signing in, registering, recovering: the fields, and how far the attempt has got.
//!
//! Pure. Secrets are kept no longer than the form is shown.

use startalk_client::JoinLink;

use super::{editor::Editor, words::Word};

/// Which way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With a password.
    SignIn,
    /// A new account.
    Register,
    /// With a recovery code.
    Recover,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `name@domain`, or the name alone with a link or a server.
    User,
    /// The password, or the new one.
    Password,
    /// How one wants to be called.
    DisplayName,
    /// A recovery code.
    Code,
    /// A link.
    Invitation,
    /// Where the domain is.
    Server,
}

/// One step of getting in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Under way or done.
    Doing(String),
    /// Failed: why, perhaps in several lines.
    Failed(Vec<String>),
}

/// What was filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Which way in.
    pub way: Way,
    /// As typed.
    pub user: String,
    /// As typed.
    pub password: String,
    /// As typed.
    pub display_name: String,
    /// As typed.
    pub code: String,
    /// As typed.
    pub invitation: String,
    /// As typed.
    pub server: String,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Form {
    /// Which way in.
    pub way: Way,
    /// Which field is being written.
    pub at: usize,
    /// What was tried.
    pub steps: Vec<Step>,
    /// An attempt is under way.
    pub busy: bool,
    user: Editor,
    password: Editor,
    display_name: Editor,
    code: Editor,
    invitation: Editor,
    server: Editor,
}

impl Form {
    /// With what is known from the command line.
    pub fn new(who: &str, server: &str) -> Self {
        let link = who.parse::<JoinLink>().is_ok();
        let mut form = Self {
            way: if link { Way::Register } else { Way::SignIn },
            at: 0,
            steps: Vec::new(),
            busy: false,
            user: Editor::of(if link { "" } else { who }),
            password: Editor::default(),
            display_name: Editor::default(),
            code: Editor::default(),
            invitation: Editor::of(if link { who } else { "" }),
            server: Editor::of(server),
        };
        form.at = usize::from(!form.user.is_empty());
        form
    }

    /// The fields of this way in.
    pub fn fields(&self) -> &'static [Field] {
        match self.way {
            Way::SignIn => &[Field::User, Field::Password, Field::Server],
            Way::Register => &[Field::User, Field::Password, Field::DisplayName, Field::Invitation, Field::Server],
            Way::Recover => &[Field::User, Field::Code, Field::Password, Field::Server],
        }
    }

    /// What stands before a field.
    pub fn label(&self, field: Field) -> Word {
        match field {
            Field::User if self.way == Way::Register && !self.invitation.is_empty() => Word::FieldName,
            Field::User => Word::FieldUser,
            Field::Password if self.way == Way::SignIn => Word::FieldPassword,
            Field::Password => Word::FieldNewPassword,
            Field::DisplayName => Word::FieldDisplayName,
            Field::Code => Word::FieldCode,
            Field::Invitation => Word::FieldInvitation,
            Field::Server => Word::FieldServer,
        }
    }

    /// The title.
    pub fn title(&self) -> Word {
        match self.way {
            Way::SignIn => Word::SignIn,
            Way::Register => Word::Register,
            Way::Recover => Word::Recover,
        }
    }

    /// A field's text.
    pub fn editor(&self, field: Field) -> &Editor {
        match field {
            Field::User => &self.user,
            Field::Password => &self.password,
            Field::DisplayName => &self.display_name,
            Field::Code => &self.code,
            Field::Invitation => &self.invitation,
            Field::Server => &self.server,
        }
    }

    /// The field being written.
    pub fn current(&mut self) -> &mut Editor {
        match self.fields()[self.at.min(self.fields().len() - 1)] {
            Field::User => &mut self.user,
            Field::Password => &mut self.password,
            Field::DisplayName => &mut self.display_name,
            Field::Code => &mut self.code,
            Field::Invitation => &mut self.invitation,
            Field::Server => &mut self.server,
        }
    }

    /// To the next field, or back.
    pub fn go(&mut self, steps: isize) {
        let count = self.fields().len();
        self.at = self.at.checked_add_signed(steps).map_or(count - 1, |at| at % count);
    }

    /// Another way in.
    pub fn turn(&mut self) {
        self.way = match self.way {
            Way::SignIn => Way::Register,
            Way::Register => Way::Recover,
            Way::Recover => Way::SignIn,
        };
        self.at = self.at.min(self.fields().len() - 1);
        self.steps.clear();
    }

    /// The first field that has to be filled in and is not.
    pub fn missing(&self) -> Option<usize> {
        let needed = |f: &Field| matches!(f, Field::User | Field::Password | Field::Code);
        self.fields().iter().position(|f| needed(f) && self.editor(*f).text().trim().is_empty())
    }

    /// Everything filled in.
    pub fn filled(&self) -> Filled {
        let text = |f: Field| self.editor(f).text().trim().to_owned();
        Filled {
            way: self.way,
            user: text(Field::User),
            password: self.password.text().to_owned(),
            display_name: text(Field::DisplayName),
            code: text(Field::Code),
            invitation: text(Field::Invitation),
            server: text(Field::Server),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_asks_for_a_name_only() {
        let form = Form::new("https://127.0.0.1:8443/join/2pam7yy4do3myu43uvx6bjnjl4rxjvvf", "");
        assert_eq!((form.way, form.label(Field::User), form.missing()), (Way::Register, Word::FieldName, Some(0)));
        let form = Form::new("alice@home.example", "");
        assert_eq!((form.way, form.at, form.missing()), (Way::SignIn, 1, Some(1)));
    }

    #[test]
    fn fields_go_round_and_ways_turn() {
        let mut form = Form::new("", "");
        form.go(-1);
        assert_eq!(form.fields()[form.at], Field::Server);
        form.go(1);
        assert_eq!(form.at, 0);
        form.turn();
        form.turn();
        assert_eq!(form.way, Way::Recover);
        form.turn();
        assert_eq!(form.way, Way::SignIn);
    }
}
