pub struct Messenger;
pub struct Device;
pub struct Message;
