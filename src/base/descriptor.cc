#include "base/descriptor.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace lfm {
namespace {

// Whether the call that failed is worth another try, once the descriptor is ready.
bool TryAgain(int fd, short events) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
  pollfd one{fd, events, 0};
  return poll(&one, 1, -1) >= 0 || errno == EINTR;
}

}  // namespace

ssize_t ReadSome(int fd, std::span<std::byte> buffer) {
  ssize_t n = 0;
  do {
    n = read(fd, buffer.data(), buffer.size());
  } while (n < 0 && TryAgain(fd, POLLIN));
  return n;
}

ssize_t WriteSome(int fd, std::span<const std::byte> bytes) {
  ssize_t n = 0;
  do {
    n = write(fd, bytes.data(), bytes.size());
  } while (n < 0 && TryAgain(fd, POLLOUT));
  return n;
}

}  // namespace lfm
