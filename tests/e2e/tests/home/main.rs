//! A server at home: behind routers, through a hub, with nothing but `startalk up --via`.

mod apart;
mod blocked;
mod hub;
mod looks;
mod newcomers;
mod wan;
mod ways;
