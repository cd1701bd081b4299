#include "server/wire.h"

#include <boost/asio/ssl.hpp>

#include "base/strings.h"

namespace lfm::server {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

class PlainWire final : public Wire {
 public:
  explicit PlainWire(Socket socket) : socket_(std::move(socket)) {}

  void Handshake(WireHandler done) override { done({}, 0); }
  void Read(asio::mutable_buffer into, WireHandler done) override {
    socket_.async_read_some(asio::mutable_buffers_1(into), std::move(done));
  }
  void Write(asio::const_buffer from, WireHandler done) override {
    socket_.async_write_some(asio::const_buffers_1(from), std::move(done));
  }
  void CloseSending() override {
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }
  void Close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  Socket socket_;
};

class TlsWire final : public Wire {
 public:
  TlsWire(Socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}

  void Handshake(WireHandler done) override {
    stream_.async_handshake(asio::ssl::stream_base::server, [done = std::move(done)](const error_code& ec) { done(ec, 0); });
  }
  void Read(asio::mutable_buffer into, WireHandler done) override {
    stream_.async_read_some(asio::mutable_buffers_1(into), std::move(done));
  }
  void Write(asio::const_buffer from, WireHandler done) override {
    stream_.async_write_some(asio::const_buffers_1(from), std::move(done));
  }
  // A close_notify would need another handshake of writes; answers carry their length, so the end of TCP is enough.
  void CloseSending() override {
    error_code ignored;
    stream_.lowest_layer().shutdown(asio::socket_base::shutdown_send, ignored);
  }
  void Close() override {
    error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

 private:
  asio::ssl::stream<Socket> stream_;
};

class Context final : public TlsContext {
 public:
  Context() : context_(asio::ssl::context::tls_server) {}
  std::unique_ptr<Wire> Wrap(Socket socket) override { return std::make_unique<TlsWire>(std::move(socket), context_); }
  asio::ssl::context& context() { return context_; }

 private:
  asio::ssl::context context_;
};

}  // namespace

std::unique_ptr<Wire> MakePlainWire(Socket socket) { return std::make_unique<PlainWire>(std::move(socket)); }

Result<std::shared_ptr<TlsContext>> TlsContext::Load(const TlsFiles& files) {
  auto context = std::make_shared<Context>();
  asio::ssl::context& ssl = context->context();
  error_code ec;
  ssl.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1 |
                      asio::ssl::context::no_compression,
                  ec);
  if (!ec) ssl.use_certificate_chain_file(files.certificate, ec);
  if (ec) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat(files.certificate, ": not readable as a PEM certificate chain (", ec.message(), ")")};
  }
  ssl.use_private_key_file(files.key, asio::ssl::context::pem, ec);
  if (ec) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat(files.key, ": not readable as the certificate's PEM key (", ec.message(), ")")};
  }
  return std::shared_ptr<TlsContext>(std::move(context));
}

}  // namespace lfm::server
