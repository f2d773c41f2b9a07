//! A small HTTP server on loopback that can be stopped.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::StartError;

/// How long `stop` waits for requests that run.
const STOP_MAX: Duration = Duration::from_secs(2);

/// A running server. Dropping it stops it too.
pub(crate) struct Server {
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// Binds an address; the error names the part that wanted it.
pub(crate) async fn listen(
    what: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { what, address, source })
}

/// The URL of a bound address.
pub(crate) fn url_of(listener: &TcpListener) -> String {
    listener.local_addr().map(|address| format!("http://{address}")).unwrap_or_default()
}

impl Server {
    pub(crate) async fn start(
        what: &'static str,
        address: SocketAddr,
        router: Router,
    ) -> Result<Self, StartError> {
        Ok(Self::serve(listen(what, address).await?, router))
    }

    pub(crate) fn serve(listener: TcpListener, router: Router) -> Self {
        let url = url_of(&listener);
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            // A dropped sender means stop, too.
            let _ = stopped.await;
        });
        Self { url, stop, task: tokio::spawn(server.into_future()) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Takes no more connections and lets running requests finish, for a while.
    pub(crate) async fn stop(self) {
        // An error means that the server has ended already.
        let _ = self.stop.send(());
        let task = self.task.abort_handle();
        if tokio::time::timeout(STOP_MAX, self.task).await.is_err() {
            task.abort();
        }
    }
}
