//! An engine from functions.
use subrosa_engine::*;

type Out = Box<dyn Fn(&mut Context<'_>, &Outgoing<'_>) -> Hook<Encrypted> + Send>;
type In = Box<dyn Fn(&mut Context<'_>, &Incoming<'_>) -> Hook<Decrypted> + Send>;
type Wants = Box<dyn Fn(Kind) -> bool + Send>;
type Key = Box<dyn Fn(&mut Context<'_>, &Outgoing<'_>, &FileInfo) -> Hook<FileKey> + Send>;
type Cipher = Box<dyn Fn(&FileInfo, &FileKey) -> Result<Box<dyn FileCipher>, Status> + Send>;
type Told = Box<dyn Fn(&mut Context<'_>, &Notice) -> Result<(), Halt> + Send>;

/// An engine from functions, each of which does what the method of [`Engine`] with its name says. One that is not given does what
/// [`Engine`] does without it; messages are skipped.
///
/// ```
/// use subrosa_engine::*;
/// use subrosa_engines::Closures;
///
/// let flip = |bytes: &[u8]| bytes.iter().map(|b| !b).collect::<Vec<u8>>();
/// let engine = Closures::new("flip")
///     .outgoing(move |_, m| Ok(Outcome::Done(Encrypted::new(ContentType("cipher/flip".into()), flip(m.plain.bytes()))?)))
///     .incoming(move |_, m| match m.content_type.0.as_ref() {
///         "cipher/flip" => Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, flip(m.body))))),
///         _ => Ok(Outcome::Skipped),
///     });
/// let mut machine = Machine::new("alice@example.org".into());
/// let flip = machine.install(engine);
/// machine.route(move |_chat| Some(flip.id()));
/// ```
pub struct Closures {
    name: &'static str,
    wants: Option<Wants>,
    outgoing: Option<Out>,
    incoming: Option<In>,
    file_key: Option<Key>,
    upload: Option<Cipher>,
    download: Option<Cipher>,
    notice: Option<Told>,
}
/// With none of its hooks: what is not given.
struct Nothing(&'static str);
impl Engine for Nothing {
    fn name(&self) -> &'static str {
        self.0
    }
    fn outgoing(&self, _: &mut Context<'_>, _: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(Outcome::Skipped)
    }
    fn incoming(&self, _: &mut Context<'_>, _: &Incoming<'_>) -> Hook<Decrypted> {
        Ok(Outcome::Skipped)
    }
}

impl Closures {
    /// Named, and with nothing in it yet. The name is that of its records: it must stay the same.
    pub fn new(name: &'static str) -> Self {
        Closures { name, wants: None, outgoing: None, incoming: None, file_key: None, upload: None, download: None, notice: None }
    }
    /// [`Engine::wants`]
    pub fn wants(self, f: impl Fn(Kind) -> bool + Send + 'static) -> Self {
        Closures { wants: Some(Box::new(f)), ..self }
    }
    /// [`Engine::outgoing`]
    pub fn outgoing(self, f: impl Fn(&mut Context<'_>, &Outgoing<'_>) -> Hook<Encrypted> + Send + 'static) -> Self {
        Closures { outgoing: Some(Box::new(f)), ..self }
    }
    /// [`Engine::incoming`]
    pub fn incoming(self, f: impl Fn(&mut Context<'_>, &Incoming<'_>) -> Hook<Decrypted> + Send + 'static) -> Self {
        Closures { incoming: Some(Box::new(f)), ..self }
    }
    /// [`Engine::file_key`]
    pub fn file_key(self, f: impl Fn(&mut Context<'_>, &Outgoing<'_>, &FileInfo) -> Hook<FileKey> + Send + 'static) -> Self {
        Closures { file_key: Some(Box::new(f)), ..self }
    }
    /// [`Engine::upload`]
    pub fn upload(self, f: impl Fn(&FileInfo, &FileKey) -> Result<Box<dyn FileCipher>, Status> + Send + 'static) -> Self {
        Closures { upload: Some(Box::new(f)), ..self }
    }
    /// [`Engine::download`]
    pub fn download(self, f: impl Fn(&FileInfo, &FileKey) -> Result<Box<dyn FileCipher>, Status> + Send + 'static) -> Self {
        Closures { download: Some(Box::new(f)), ..self }
    }
    /// [`Engine::notice`]
    pub fn notice(self, f: impl Fn(&mut Context<'_>, &Notice) -> Result<(), Halt> + Send + 'static) -> Self {
        Closures { notice: Some(Box::new(f)), ..self }
    }
    fn nothing(&self) -> Nothing {
        Nothing(self.name)
    }
}
impl Engine for Closures {
    fn name(&self) -> &'static str {
        self.name
    }
    fn wants(&self, kind: Kind) -> bool {
        self.wants.as_ref().map_or_else(|| self.nothing().wants(kind), |f| f(kind))
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        self.outgoing.as_ref().map_or(Ok(Outcome::Skipped), |f| f(cx, message))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        self.incoming.as_ref().map_or(Ok(Outcome::Skipped), |f| f(cx, message))
    }
    fn file_key(&self, cx: &mut Context<'_>, message: &Outgoing<'_>, file: &FileInfo) -> Hook<FileKey> {
        match &self.file_key {
            Some(f) => f(cx, message, file),
            None => self.nothing().file_key(cx, message, file),
        }
    }
    fn upload(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.upload.as_ref().map_or_else(|| self.nothing().upload(file, key), |f| f(file, key))
    }
    fn download(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.download.as_ref().map_or_else(|| self.nothing().download(file, key), |f| f(file, key))
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        self.notice.as_ref().map_or(Ok(()), |f| f(cx, notice))
    }
}
