// Sockets that listen: addresses as the command line writes them, UNIX sockets, and those that systemd passes.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lfm::server {

// A listening socket, non-blocking. Owned: closed, and the file of a UNIX socket removed, by the destructor.
class Listener {
 public:
  // "HOST:PORT" ("[::1]:8080", "localhost:8080": every address of the name; port 0: any free one) or "unix:PATH". A UNIX
  // socket is open to its owner and group; a file left behind by a server that is gone is replaced.
  static Result<std::vector<Listener>> Open(const std::string& address);
  // A socket that was passed to this process; checked to be listening.
  static Result<Listener> Adopt(int fd);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int fd() const { return fd_; }
  const std::string& name() const { return name_; }  // "http://127.0.0.1:8080", "unix:/run/lfm.sock"
  bool is_unix() const { return is_unix_; }
  bool is_loopback() const { return is_loopback_; }  // or a UNIX socket: nobody from outside can reach it

 private:
  Listener() = default;
  void Describe();

  int fd_ = -1;
  std::string name_, unlink_path_;
  unsigned long device_ = 0, inode_ = 0;  // of the file to remove: only if it is still ours
  bool is_unix_ = false, is_loopback_ = false;
};

}  // namespace lfm::server
