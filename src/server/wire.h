// A connected stream of bytes: a TCP or UNIX socket, plain or under TLS. Only for connection.cc and its neighbours.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/options.h"

namespace lfm::server {

using Socket = boost::asio::generic::stream_protocol::socket;
using WireHandler = std::function<void(const boost::system::error_code&, size_t)>;

// One read and one write at a time; all on the I/O thread.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void Handshake(WireHandler done) = 0;
  virtual void Read(boost::asio::mutable_buffer into, WireHandler done) = 0;  // some bytes
  virtual void Write(boost::asio::const_buffer from, WireHandler done) = 0;   // some bytes
  virtual void CloseSending() = 0;                                            // the peer sees the end; reading goes on
  virtual void Close() = 0;                                                   // handlers in flight hear of an error
};

std::unique_ptr<Wire> MakePlainWire(Socket socket);

// Certificate and key for all connections. Thread-safe to use after Load.
class TlsContext {
 public:
  static Result<std::shared_ptr<TlsContext>> Load(const TlsFiles& files);
  virtual ~TlsContext() = default;
  virtual std::unique_ptr<Wire> Wrap(Socket socket) = 0;
};

}  // namespace lfm::server
