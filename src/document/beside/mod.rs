//! What is kept beside documents: in the trash with them, gone with them, and no part of their content. Each is a room of its
//! own over the [`record`]s of the store: [`attachments`] are files, a [`chat`] is what people say.

pub mod attachments;
pub mod chat;
pub mod record;
