// How a server listens and what it bounds.
#pragma once

#include <string>
#include <vector>

#include "server/http.h"
#include "server/request_reader.h"

namespace lfm::server {

struct Timeouts {    // seconds
  double idle = 25;  // between requests, and before the first one
  double head = 10;  // from a request's first byte to the end of its head
  double body = 20;  // for a body, plus its size at body_bytes_per_s
  double body_bytes_per_s = 32 << 10;
  double stalled = 30;  // in which a reader must take 16 KiB, or all there is
  double silent = 15;   // after which a waiting event stream gets a comment: proxies cut connections that rest for a minute
  double linger = 10;   // in which a refused client may go on sending, so that it sees its answer
  double drain = 30;    // from the first SIGTERM to the last answer
};

struct TlsFiles {
  std::string certificate = {}, key = {};  // PEM; empty: no TLS
};

struct ServerOptions {
  std::vector<std::string> addresses = {};  // "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "unix:/run/lfm.sock"
  std::vector<int> inherited = {};          // listening sockets that systemd passed
  TlsFiles tls = {};
  bool no_auth = false;                         // beyond loopback without keys
  std::vector<std::string> allowed_hosts = {};  // beside loopback names; "*": all
  std::vector<std::string> cors_origins = {};   // "localhost": of this machine, any port; "*": all
  ReaderLimits limits = {};
  Timeouts timeouts = {};
  int max_connections = 2048;
  size_t max_bodies = size_t{512} << 20;  // bytes of all bodies that are being read or answered
  size_t max_buffered = size_t{1} << 20;  // bytes of one answer that wait for its reader
  int n_workers = 2;
};

}  // namespace lfm::server
