// read() and write() for descriptors that others have set not to wait, as a terminal or pipe shared with node or ssh is.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace lfm {

// As read() and write(), but goes on after a signal, and waits where the descriptor would not. Negative with errno on failure.
ssize_t ReadSome(int fd, std::span<std::byte> buffer);
ssize_t WriteSome(int fd, std::span<const std::byte> bytes);

}  // namespace lfm
