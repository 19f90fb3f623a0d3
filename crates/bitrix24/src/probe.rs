//! Probe that tells a portal that is down from a request that it cannot answer.

use crate::error::Lane;
use crate::request::Request;
use crate::response::decode;
use crate::rest_client::RestClient;
use crate::retry::Idempotency;

/// Method that needs no right and changes nothing.
const PROBE: &str = "profile";

impl RestClient {
    /// Returns `true` if the portal answers another request.
    pub(crate) async fn answers_probe(&self, lane: Lane) -> bool {
        let weights = vec![(PROBE, 1)];
        let request = Request { method: PROBE, body: b"{}".to_vec(), weights, admitted: false };
        let sent = self.send(&request, Idempotency::Safe, lane).await;
        let Ok((trip, Ok(answer))) = sent else { return false };
        let is_answer = decode(answer.status, answer.content_type.as_deref(), &answer.body).is_ok();
        if is_answer {
            self.succeeded(trip.sent);
        }
        is_answer
    }
}
