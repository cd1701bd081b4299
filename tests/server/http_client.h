// A client that sends bytes as they stand and reads what comes back, for tests of the server.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace lfm::server {

class RawClient {
 public:
  explicit RawClient(int port) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address) == 0;
  }
  explicit RawClient(const std::string& path) {
    fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    connected_ = connect(fd_, static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address) == 0;
  }
  ~RawClient() {
    if (fd_ >= 0) close(fd_);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void EndSending() const { shutdown(fd_, SHUT_WR); }
  void Close() {
    close(fd_);
    fd_ = -1;
  }
  // What arrived until `end` was seen, the server closed, or `wait_ms` passed without a byte. The default is for what
  // must come: a machine may be as slow as it likes.
  std::string Read(std::string_view end = "", int wait_ms = 120'000) {
    while (end.empty() || received_.find(end) == std::string::npos) {
      if (!HasMore(wait_ms)) break;
      char buffer[65536];
      const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) {
        closed_ = true;
        break;
      }
      received_.append(buffer, static_cast<size_t>(n));
    }
    return std::exchange(received_, {});
  }
  bool closed() const { return closed_; }

 private:
  // In short waits: where both sides were stopped for a while, the server goes on too before the client gives up.
  bool HasMore(int wait_ms) const {
    constexpr int kSliceMs = 100;
    int n = 0;
    for (; wait_ms > 0 && n == 0; wait_ms -= kSliceMs) {
      pollfd ready{fd_, POLLIN, 0};
      n = poll(&ready, 1, std::min(wait_ms, kSliceMs));
    }
    return n > 0;
  }

  int fd_ = -1;
  bool connected_ = false, closed_ = false;
  std::string received_;
};

// Status of the first answer in raw bytes; 0: none.
inline int StatusOf(std::string_view answer) {
  if (!answer.starts_with("HTTP/1.") || answer.size() < 12) return 0;
  return std::stoi(std::string(answer.substr(9, 3)));
}
inline int CountOf(std::string_view text, std::string_view part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

}  // namespace lfm::server
