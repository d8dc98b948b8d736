//! Messages into scenario groups, by the robot of their template.

mod list_message_readers;
mod send_message;

pub use list_message_readers::{ListMessageReaders, Reader, ReaderPage};
pub use send_message::{SendAssistantMessage, SentMessage};

/// Message template of internal apps; the text is in `content`.
pub const TEMPLATE_TEXT: &str = "inner_app_template_text";
/// Message template of internal apps; the picture is in the media variable `img_media_id`.
pub const TEMPLATE_PHOTO: &str = "inner_app_template_photo";
/// Message template of internal apps; variables `title` and `markdown_content`.
pub const TEMPLATE_MARKDOWN: &str = "inner_app_template_markdown";
/// Message template of internal apps; variables `title`, `markdown`, `btn_orientation` and, for the buttons 1 to 4,
/// `btn_title_1` and `action_url_1`.
pub const TEMPLATE_ACTION_CARD: &str = "inner_app_template_action_card";
