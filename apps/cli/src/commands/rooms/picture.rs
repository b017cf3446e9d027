//! Pictures of rooms as files: read to be set, written when they are shown.
use crate::failure::Failure;
use crate::rpc::types::RoomPicture;
use crate::show::clean;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use subrosa_xmpp::avatar::MAX_PICTURE;

/// In base64, and its media type.
pub fn read(path: &Path) -> Result<(String, &'static str), Failure> {
    // more than is taken is not read
    let limit = u64::try_from(MAX_PICTURE).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(|e| Failure::io("reading", path, &e))?;
    if bytes.len() > MAX_PICTURE {
        return Err(Failure::usage(format!("{} is larger than {} KiB; make it smaller", path.display(), MAX_PICTURE / 1024)));
    }
    let kind = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => return Err(Failure::usage(format!("{} is no PNG, JPEG, GIF or WebP; nothing was set", path.display()))),
    };
    Ok((STANDARD.encode(&bytes), kind))
}
/// In words; and the file itself, where it is to go.
pub fn show(picture: &RoomPicture, save: Option<&Path>) -> Result<String, Failure> {
    let RoomPicture { kind: Some(kind), data: Some(data), id: Some(id) } = picture else { return Ok("it has no picture".into()) };
    let bytes = STANDARD.decode(data).map_err(|e| Failure::bug(e.to_string()))?;
    let mut text = format!("{}, {} bytes, SHA-1 {}", clean(kind), bytes.len(), clean(id));
    if let Some(path) = save {
        store(path, &bytes).map_err(|e| Failure::io("writing", path, &e))?;
        text.push_str(&format!("; saved as {}", clean(&path.to_string_lossy())));
    }
    Ok(text)
}
/// Nothing that is there is written over, and nothing is left half written.
fn store(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes).inspect_err(|_| drop(std::fs::remove_file(path)))
}
