//! The guarded HTTP client: private addresses refused at connect time
