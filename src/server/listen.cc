#include "server/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace lfm::server {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to its own limit

std::string Reason(int error) { return std::string(std::strerror(error)); }

Error Cannot(const std::string& address, int error) {
  const std::string why = error == EADDRINUSE ? "the address is in use by another program" : Reason(error);
  return {ErrorCode::kIo, StrCat("cannot listen on ", address, ": ", why)};
}

template <typename Address>
const sockaddr* Generic(const Address& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

// Whether somebody answers at a UNIX socket's path.
bool SomebodyListens(const sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return true;
  const bool refused = connect(fd, Generic(address), sizeof address) != 0 && errno == ECONNREFUSED;
  close(fd);
  return !refused;
}

// Binds and listens; -1 with errno.
int OpenSocket(int family, const sockaddr* address, socklen_t size) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  if (family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, address, size) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)), unlink_path_(std::exchange(other.unlink_path_, {})),
      device_(other.device_), inode_(other.inode_), is_unix_(other.is_unix_), is_loopback_(other.is_loopback_) {}

Listener::~Listener() {
  if (fd_ >= 0) close(fd_);
  struct stat found {};
  if (!unlink_path_.empty() && lstat(unlink_path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
    unlink(unlink_path_.c_str());
  }
}

// Fills the name and whether outsiders can reach it, from the socket itself.
void Listener::Describe() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd_, static_cast<sockaddr*>(static_cast<void*>(&address)), &size) != 0) return;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    is_loopback_ = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    name_ = StrCat("http://", text, ":", ntohs(v4.sin_port));
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    is_loopback_ = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    name_ = StrCat("http://[", text, "]:", ntohs(v6.sin6_port));
  } else {
    sockaddr_un path{};
    std::memcpy(&path, &address, sizeof path);
    is_unix_ = is_loopback_ = true;
    name_ = StrCat("unix:", static_cast<const char*>(path.sun_path));
  }
}

Result<Listener> Listener::Adopt(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening) {
    return Error{ErrorCode::kIo, StrCat("file descriptor ", fd, " of LISTEN_FDS is no listening socket")};
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  Listener listener;
  listener.fd_ = fd;
  listener.Describe();
  return listener;
}

namespace {

Result<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("the path of a UNIX socket has 1 to ", sizeof address.sun_path - 1, " bytes")};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Makes room for a new socket file: removes what a server left that is gone.
Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return Ok();
  if (!S_ISSOCK(found.st_mode)) {
    return Error{ErrorCode::kIo, StrCat("cannot listen on unix:", path, ": a file that is no socket is there")};
  }
  if (SomebodyListens(address)) return Cannot(StrCat("unix:", path), EADDRINUSE);
  if (unlink(path.c_str()) != 0) return Cannot(StrCat("unix:", path), errno);
  return Ok();
}

Result<int> OpenUnix(const std::string& path) {
  LFM_TRY(const sockaddr_un address, UnixAddress(path));
  LFM_RETURN_IF_ERROR(RemoveStale(path, address));
  // The mode is set by the umask, so that the socket is never open to others, not even for a moment.
  const mode_t before = umask(0117);
  const int fd = OpenSocket(AF_UNIX, Generic(address), sizeof address);
  const int error = errno;
  umask(before);
  if (fd < 0) return Cannot(StrCat("unix:", path), error);
  return fd;
}

Result<std::vector<int>> OpenTcp(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  if (host.size() > 2 && host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535 ||
      host.empty()) {
    return Error{ErrorCode::kInvalidArgument, StrCat(Quote(address), " is no address; use HOST:PORT or unix:PATH")};
  }
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (const int failed = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    return Error{ErrorCode::kIo, StrCat("cannot listen on ", address, ": ", gai_strerror(failed))};
  }
  std::vector<int> fds;
  int error = 0;
  for (const addrinfo* each = found; each; each = each->ai_next) {
    const int fd = OpenSocket(each->ai_family, each->ai_addr, each->ai_addrlen);
    if (fd >= 0) {
      fds.push_back(fd);
    } else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) {  // a machine without IPv6 has localhost too
      error = errno;
    } else if (error == 0 && !each->ai_next && fds.empty()) {
      error = errno;
    }
  }
  freeaddrinfo(found);
  if (error == 0 && !fds.empty()) return fds;
  for (const int fd : fds) close(fd);
  return Cannot(address, error);
}

}  // namespace

Result<std::vector<Listener>> Listener::Open(const std::string& address) {
  std::vector<Listener> listeners;
  if (address.starts_with("unix:")) {
    const std::string path = address.substr(5);
    LFM_TRY(const int fd, OpenUnix(path));
    Listener listener;
    listener.fd_ = fd;
    listener.Describe();
    struct stat made {};
    if (lstat(path.c_str(), &made) == 0) {
      listener.unlink_path_ = path;
      listener.device_ = made.st_dev;
      listener.inode_ = made.st_ino;
    }
    listeners.push_back(std::move(listener));
    return listeners;
  }
  LFM_TRY(const std::vector<int> fds, OpenTcp(address));
  for (const int fd : fds) {
    Listener listener;
    listener.fd_ = fd;
    listener.Describe();
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

}  // namespace lfm::server
