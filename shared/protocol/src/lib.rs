//! Ids, limits, errors, signatures and protobuf messages that every Startalk program shares
