//! Tests of the transport over real connections to this machine: the sent bytes, the handling of
//! odd answers, and the absence of the secret.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitrix24::{HttpTransport, ResponseOrigin, Transport, TransportError};
use recard::model::{CardKey, LeadCustomerType, UserId};
use recard::portal::{HttpPortal, PortalSettings, Rate, RetryBudget, WebhookUrl};
use recard::ports::{
    CardRead, CardWrite, IndeterminateCause, Lane, PortalError, ReadPortal, Rejection, WriteError,
    WriteEvidence, WritePortal,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "s3cr3tkey";
const OK: &str = r#"{"result":{"result":{"c0":null},"result_error":[]},"time":{"start":1}}"#;

/// Server that gives one answer to each connection and records its requests.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server that gives these answers, byte for byte, one after the other, and closes
    /// after each.
    async fn giving(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = receive(&mut stream).await;
                log.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { port, requests }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/rest/1/{SECRET}/", self.port)
    }

    fn webhook(&self) -> WebhookUrl {
        WebhookUrl::parse(&self.url()).unwrap()
    }

    fn transport(&self) -> HttpTransport {
        self.transport_within(Duration::from_secs(5))
    }

    fn transport_within(&self, request_timeout: Duration) -> HttpTransport {
        let settings = PortalSettings { request_timeout, ..PortalSettings::default() };
        HttpTransport::new(bitrix24::WebhookUrl::parse(&self.url()).unwrap(), &settings).unwrap()
    }

    fn portal(&self) -> HttpPortal {
        let pause = Duration::from_millis(1);
        let retry_budget =
            RetryBudget { initial_backoff: pause, max_backoff: pause, ..RetryBudget::default() };
        HttpPortal::connect(
            self.webhook(),
            PortalSettings { retry_budget, rate: Rate::Unlimited, ..PortalSettings::default() },
        )
        .unwrap()
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads one request: its head, and as much body as it announces.
async fn receive(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let announced = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned)
            });
            if body.len() >= announced.unwrap().parse::<usize>().unwrap() {
                return text;
            }
        }
        assert!(length > 0, "the request was cut: {text:?}");
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

fn json(body: &str) -> String {
    answer("200 OK", "content-type: application/json; charset=utf-8\r\n", body)
}

fn card() -> CardKey {
    CardKey::personal(UserId::new(7).unwrap(), LeadCustomerType::Simple)
}

async fn read(portal: &HttpPortal) -> Result<Option<CardRead>, PortalError> {
    let mut read = None;
    let mut sink = |_, card| read = Some(card);
    portal.reader().read_cards(&[card()], &mut sink).await?;
    Ok(read)
}

async fn reset(portal: &HttpPortal) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
    portal.writer().write_cards(&[(card(), CardWrite::Reset)], Lane::Planned).await
}

#[tokio::test]
async fn request_is_a_plain_post_of_json() {
    let server = Server::giving(vec![json(OK)]).await;
    assert_eq!(read(&server.portal()).await.unwrap(), Some(CardRead::Read(None)));
    let request = server.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("POST /rest/1/{SECRET}/batch HTTP/1.1\r\n")), "{head}");
    assert_eq!(
        head.lines().filter(|line| *line == "content-type: application/json").count(),
        1,
        "{head}"
    );
    assert!(!head.contains("content-encoding") && !head.contains("referer"), "{head}");
    assert_eq!(
        body,
        r#"{"halt":0,"cmd":{"c0":"crm.lead.details.configuration.get?scope=P&userId=7&extras[leadCustomerType]=1"}}"#
    );
}

#[tokio::test]
async fn redirect_is_not_followed() {
    for status in
        ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let server = Server::giving(Vec::new()).await;
        let target =
            format!("location: http://127.0.0.1:{}/rest/1/{SECRET}/batch\r\n", server.port);
        let first = Server::giving(vec![answer(status, &target, "")]).await;
        let error = reset(&first.portal()).await.unwrap_err();
        let WriteError::Indeterminate { cause: IndeterminateCause::Refusal(error), .. } = error
        else {
            panic!("{error:?}")
        };
        assert!(
            matches!(&error, PortalError::Rejected { rejection: Rejection::Redirect, .. }),
            "{error:?}"
        );
        assert_eq!((first.requests().len(), server.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn read_survives_pages_cuts_and_limits() {
    let whole = json(OK);
    let cut = whole[..whole.len() - 10].to_owned();
    let short = json(&OK[..OK.len() - 10]);
    let page = answer("502 Bad Gateway", "content-type: text/html\r\n", "<html></html>");
    let limit = answer(
        "503 Service Unavailable",
        "",
        r#"{"error":"QUERY_LIMIT_EXCEEDED","error_description":"x"}"#,
    );
    for trouble in [String::new(), cut, short, page, limit] {
        let server = Server::giving(vec![trouble.clone(), json(OK)]).await;
        assert_eq!(
            read(&server.portal()).await.unwrap(),
            Some(CardRead::Read(None)),
            "{trouble:?}"
        );
        assert_eq!(server.requests().len(), 2, "{trouble:?}");
    }
}

#[tokio::test]
async fn transport_tells_requests_that_may_be_executed_from_unsent_ones() {
    let server = Server::giving(vec![String::new()]).await;
    let sent = server.transport().send("batch", b"{}".to_vec()).await;
    assert!(matches!(sent, Err(TransportError::Lost(_))), "{sent:?}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let nobody = Server { port, requests: Arc::default() };
    let sent = nobody.transport().send("batch", b"{}".to_vec()).await;
    assert!(matches!(sent, Err(TransportError::NotSent(_))), "{sent:?}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { port: silent.local_addr().unwrap().port(), requests: Arc::default() };
    let transport = server.transport_within(Duration::from_millis(50));
    let sent = transport.send("batch", b"{}".to_vec()).await;
    assert_eq!(sent, Err(TransportError::TimedOut(Duration::from_millis(50))));
}

#[tokio::test]
async fn emulator_answers_are_marked_by_a_header() {
    let marked = answer("200 OK", "content-type: application/json\r\nX-Recard-Emulator: 1\r\n", OK);
    let server = Server::giving(vec![json(OK), marked.clone()]).await;
    let portal = server.portal();
    read(&portal).await.unwrap();
    assert!(!portal.is_emulator());
    read(&portal).await.unwrap();
    assert!(portal.is_emulator());
    let server = Server::giving(vec![marked]).await;
    assert_eq!(
        server.transport().send("batch", b"{}".to_vec()).await.unwrap().origin,
        ResponseOrigin::Emulator
    );
}

#[tokio::test]
async fn errors_hide_the_secret() {
    let page = answer(
        "403 Forbidden",
        "content-type: text/html\r\n",
        &format!("<html>/rest/1/{SECRET}/</html>"),
    );
    let server = Server::giving(vec![String::new(), page]).await;
    let portal = server.portal();
    let lost = reset(&portal).await.unwrap_err();
    let forbidden = reset(&portal).await.unwrap_err();
    let refused = reset(&portal).await.unwrap_err();
    assert!(matches!(refused, WriteError::NotSent(PortalError::NotExecuted(_))), "{refused:?}");
    for error in [lost, forbidden, refused] {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET) && !shown.contains("/rest/"), "{shown}");
    }
    let shown = format!("{portal:?} {:?} {:?}", portal.reader(), server.webhook());
    assert!(!shown.contains(SECRET), "{shown}");
}
