pub struct Scratch;
pub fn compile() {}
