//! What a large file costs: its size does not matter. A process of its own, because the peak is the process's.
#![cfg(all(feature = "connection", target_os = "linux"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use subrosa_engine::{FileCipher, FileInfo, FileKey, Status};
use subrosa_sip::Offer;
use subrosa_sip::transfer::{Settings, Transfers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SIZE: u64 = 256 << 20;

/// Kibibytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

struct Copying;
impl FileCipher for Copying {
    fn chunk(&mut self, _: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        output.extend_from_slice(input);
        Ok(input.len())
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        Ok(())
    }
}

/// Takes anything, keeps nothing, gives zeros.
async fn serve(mut client: TcpStream, port: u16) {
    let mut buffer = vec![0; 64 * 1024];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    if head.starts_with("get") {
        client.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).await.unwrap();
        buffer.fill(0);
        for _ in 0..SIZE / 65536 {
            client.write_all(&buffer).await.unwrap();
        }
        return;
    }
    let length: u64 = head.split_once("content-length:").unwrap().1.lines().next().unwrap().trim().parse().unwrap();
    let mut left = length;
    while left > 0 {
        left -= client.read(&mut buffer).await.unwrap() as u64;
    }
    let body = format!("<file><file-info type='file'><file-size>{SIZE}</file-size><data url='http://127.0.0.1:{port}/f'/></file-info></file>");
    let answer = if length == 0 {
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
    } else {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    client.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_large_file_takes_no_more_memory_than_a_small_one() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, port));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::File::create(&source).unwrap().set_len(SIZE).unwrap();
    let transfers = Transfers::new(Settings { other_hosts: vec!["127.0.0.1".into()], ..Settings::default() }).unwrap();
    let file = FileInfo { name: "large".into(), content_type: "a/b".into(), size: SIZE, tag: None };
    let before = peak();
    let url = format!("http://127.0.0.1:{port}/");
    let offer = transfers.send_file(&url, &source, file, Some((FileKey(vec![1].into()), Box::new(Copying)))).await.unwrap();
    let up = peak() - before;
    let offer = Offer::read(offer.write().bytes()).unwrap();
    let saved = transfers.receive_file(&offer, Some(Box::new(Copying)), directory.path()).await.unwrap();
    let down = peak() - before;
    assert_eq!(std::fs::metadata(saved).unwrap().len(), SIZE);
    println!("added at the peak: {up} KiB after the upload, {down} KiB after the download");
    assert!(down < 16 * 1024, "{down} KiB were added at the peak");
}
