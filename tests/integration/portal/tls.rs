//! TLS and proxies: the trusted certificates, the way of requests, and the immediate error for each
//! obstacle.
//!
//! All servers run on this machine: an emulator behind TLS with a certificate of an authority of
//! its own, and a proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::env::{CommandOutput, TestEnv};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A host that only the proxy knows.
const HOST: &str = "portal.test";

/// Behavior of the proxy.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Passes,
    Says(&'static str),
}

struct TlsPortal {
    env: TestEnv,
    /// The port of the TLS server.
    port: u16,
    /// The connections that the TLS server has accepted, and those that were established.
    connections: Arc<AtomicUsize>,
    trusted: Arc<AtomicUsize>,
}

impl TlsPortal {
    async fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec![HOST.to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let env = TestEnv::start().await.without_webhook();
        let behind = env.portal();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, trusted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, stand) = (Arc::clone(&connections), Arc::clone(&trusted));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (acceptor, behind, stand) =
                    (acceptor.clone(), behind.clone(), Arc::clone(&stand));
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    stand.fetch_add(1, Ordering::SeqCst);
                    let mut server = TcpStream::connect(behind).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        env.file("authority.pem", &issuer.pem());
        env.file("folder/authority.pem", &issuer.pem());
        env.file("folder/README", "no certificate");
        Self { env, port, connections, trusted }
    }

    /// Starts a proxy, and gives its address and how often it was asked.
    async fn proxy(&self, answer: Answer) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, port) = (Arc::clone(&asked), self.port);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        request.push(client.read_u8().await.unwrap());
                    }
                    assert!(
                        request.starts_with(format!("CONNECT {HOST}:443 HTTP/1.1\r\n").as_bytes())
                    );
                    match answer {
                        Answer::Says(status) => {
                            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                            client.write_all(answer.as_bytes()).await.unwrap();
                        }
                        Answer::Passes => {
                            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                            let _ = copy_bidirectional(&mut client, &mut server).await;
                        }
                    }
                });
            }
        });
        (address, asked)
    }

    /// Looks at the portal under a host, with variables, and tells how long it took.
    async fn doctor(&self, host: &str, variables: &[(&str, &str)]) -> (CommandOutput, Duration) {
        let webhook = self.env.emulator().webhook_url(1).unwrap();
        let path = webhook.split_once("/rest/").unwrap().1;
        let mut command = self.env.command(&["doctor"]);
        command
            .env("RECARD_WEBHOOK_URL", format!("https://{host}/rest/{path}"))
            .envs(variables.iter().copied());
        let start = Instant::now();
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (CommandOutput::of(output), start.elapsed())
    }
}

/// Far below the five seconds for which an address is tried that never answered.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Number of requests that may be in flight before the first one has failed; a retry would make
/// them more at once.
const CONNECTIONS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_certificate_of_another_authority_fails_at_once_with_its_own_hint() {
    let world = TlsPortal::new().await;
    let here = format!("127.0.0.1:{}", world.port);
    // Trust in some authority: this machine may have none at all.
    let stranger = CertifiedIssuer::self_signed(
        CertificateParams::new(["x".to_owned()]).unwrap(),
        KeyPair::generate().unwrap(),
    );
    let stranger = world.env.file("stranger.pem", &stranger.unwrap().pem());
    let (ended, took) = world.doctor(&here, &[("SSL_CERT_FILE", stranger.to_str().unwrap())]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stdout.contains("the certificate of the portal is not trusted"), "{ended:?}");
    assert!(
        ended.stdout.contains("SSL_CERT_FILE") && !ended.stdout.contains("HTTPS_PROXY"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("it is repeated") && took < AT_ONCE, "{took:?} {ended:?}");
    let (connections, trusted) =
        (world.connections.load(Ordering::SeqCst), world.trusted.load(Ordering::SeqCst));
    assert!(connections <= CONNECTIONS && trusted == 0, "{connections} {trusted}");
    assert_eq!(world.env.emulator().counters().requests, 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_authority_of_ssl_cert_file_or_ssl_cert_dir_is_trusted() {
    let world = TlsPortal::new().await;
    let here = format!("127.0.0.1:{}", world.port);
    let path = |name: &str| world.env.at(name).to_str().unwrap().to_owned();
    for (variable, value) in
        [("SSL_CERT_FILE", path("authority.pem")), ("SSL_CERT_DIR", path("folder"))]
    {
        let (ended, _) = world.doctor(&here, &[(variable, &value)]).await;
        assert!(ended.code == 0 && ended.stdout.contains("ok    portal"), "{variable}: {ended:?}");
    }
    for (value, problem) in
        [("none.pem", "No such file"), ("folder/README", "holds no certificate")]
    {
        let (ended, took) = world.doctor(&here, &[("SSL_CERT_FILE", &path(value))]).await;
        assert!(
            ended.code == 1
                && ended.stderr.contains(problem)
                && ended.stderr.contains("SSL_CERT_FILE"),
            "{ended:?}"
        );
        assert!(took < AT_ONCE, "{took:?}");
    }
    // Where nothing is to be trusted by TLS, nothing of it is read.
    let mut command = world.env.command(&["doctor", "--portal", "embedded"]);
    assert_eq!(
        CommandOutput::of(command.env("SSL_CERT_FILE", "none.pem").output().unwrap()).code,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_of_the_environment_is_the_way_to_the_portal_but_for_no_proxy() {
    let world = TlsPortal::new().await;
    let (proxy, asked) = world.proxy(Answer::Passes).await;
    let roots = world.env.at("authority.pem").to_str().unwrap().to_owned();
    let trust = ("SSL_CERT_FILE", roots.as_str());
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let before = asked.load(Ordering::SeqCst);
        let (ended, _) = world.doctor(HOST, &[trust, (variable, &proxy), ("NO_PROXY", "")]).await;
        assert!(ended.code == 0 && ended.stdout.contains("ok    portal"), "{variable}: {ended:?}");
        assert!(asked.load(Ordering::SeqCst) > before, "{variable}");
    }
    // An empty variable does not hide the other one, and the portal's certificate is that of the
    // portal, not of the proxy.
    let (ended, _) =
        world.doctor(HOST, &[trust, ("HTTPS_PROXY", ""), ("https_proxy", &proxy)]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let before = asked.load(Ordering::SeqCst);
    for no_proxy in [HOST, ".test", "*", "other.example, portal.test"] {
        let mut command = world.env.command(&["doctor", "--deadline", "1s"]);
        command
            .env("RECARD_WEBHOOK_URL", format!("https://{HOST}/rest/1/key/"))
            .env("NO_PROXY", no_proxy);
        command.env("HTTPS_PROXY", &proxy).env(trust.0, trust.1);
        let ended =
            tokio::task::spawn_blocking(move || CommandOutput::of(command.output().unwrap()))
                .await
                .unwrap();
        assert!(ended.code == 1 && !ended.stdout.contains("proxy"), "{no_proxy}: {ended:?}");
    }
    // This machine is reached without a proxy.
    let (ended, _) =
        world.doctor(&format!("127.0.0.1:{}", world.port), &[trust, ("HTTPS_PROXY", &proxy)]).await;
    assert_eq!((ended.code, asked.load(Ordering::SeqCst)), (0, before), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_that_refuses_or_is_not_there_fails_at_once_with_its_own_hint() {
    let world = TlsPortal::new().await;
    let roots = world.env.at("authority.pem").to_str().unwrap().to_owned();
    let trust = ("SSL_CERT_FILE", roots.as_str());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://user:s3cr3tword@{}", closed.local_addr().unwrap());
    drop(closed);
    let mut proxies = vec![(nowhere, None, "the proxy cannot be reached")];
    for status in ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"] {
        let (address, asked) = world.proxy(Answer::Says(status)).await;
        let address = address.replace("http://", "http://user:s3cr3tword@");
        proxies.push((address, Some(asked), "the proxy refuses the connection to the portal"));
    }
    for (address, asked, problem) in proxies {
        let (ended, took) = world.doctor(HOST, &[trust, ("HTTPS_PROXY", &address)]).await;
        assert_eq!(ended.code, 1, "{address}: {ended:?}");
        assert!(
            ended.stdout.contains(problem) && ended.stdout.contains("HTTPS_PROXY"),
            "{address}: {ended:?}"
        );
        assert!(!ended.stdout.contains("SSL_CERT_FILE"), "{address}: {ended:?}");
        assert!(!ended.stderr.contains("it is repeated") && took < AT_ONCE, "{took:?} {ended:?}");
        assert!(!ended.stdout.contains("s3cr3t") && !ended.stderr.contains("s3cr3t"), "{ended:?}");
        let asked = asked.map(|asked| asked.load(Ordering::SeqCst));
        assert!(asked.is_none_or(|asked| asked <= CONNECTIONS), "{asked:?}: {address}");
    }
    let (ended, _) =
        world.doctor(HOST, &[trust, ("HTTPS_PROXY", "http://user:s3cr3tword@:x:y")]).await;
    assert!(
        ended.code == 1 && ended.stderr.contains("the address of the proxy cannot be used"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("s3cr3t"), "{ended:?}");
    assert_eq!(world.connections.load(Ordering::SeqCst), 0);
}
