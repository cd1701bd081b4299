#include "server/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <thread>

#include "base/start_thread.h"
#include "base/strings.h"
#include "server/connection.h"
#include "server/listen.h"

namespace lfm::server {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto kTick = std::chrono::milliseconds(250);
constexpr auto kDrainTick = std::chrono::milliseconds(10);
constexpr double kGraceSeconds = 2;  // for handlers to end what was cut off
constexpr int kAcceptsAtOnce = 64;

// Connections are files: as many as the system allows.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

GuardOptions MakeGuard(const ServerOptions& options, const Listener& listener) {
  GuardOptions guard;
  guard.any_host = listener.is_unix();
  guard.address_names = !listener.is_loopback();
  for (const std::string& host : options.allowed_hosts) {
    guard.allowed_hosts.push_back(host == "*" ? host : HostName(host).value_or(host));
  }
  guard.cors_origins = options.cors_origins;
  return guard;
}

class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, ServerParts parts, ServerHooks hooks)
      : workers_(options.n_workers), hooks_(std::move(hooks)), signals_(core_.io), timer_(core_.io) {
    core_.options = std::move(options);
    core_.keys = std::move(parts.keys);
    core_.router = std::move(parts.router);
    core_.observer = parts.observer;
    core_.life = std::move(parts.life);
    core_.workers = &workers_;
  }
  ~ServerImpl() override {
    core_.io.stop();
    if (thread_.joinable()) thread_.join();
    const auto all = core_.connections;
    for (const auto& connection : all) connection->Close();
    // Handlers that were told so end their answers now; what they hold refers to this server.
    for (int i = 0; i < 5000 && core_.n_exchanges.load() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  Status Open();
  Status Run();
  std::vector<std::string> addresses() const override;
  void SetReady(std::shared_ptr<const Router> router) override;
  void Drain() override {
    asio::post(core_.io, [this] { BeginDrain(); });
  }
  void Wait() override {
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Door {
    Listener listener;
    GuardOptions guard;
    asio::posix::stream_descriptor waiter;
  };

  void Accept(Door& door);
  void Welcome(Door& door, int fd);
  void MakeRoom();
  void WaitForSignal();
  void Tick();
  void ExcuseStall(Clock::time_point now);
  void BeginDrain();
  void CutAllOff();

  ServerCore core_;
  Workers workers_;
  ServerHooks hooks_;
  std::vector<std::unique_ptr<Door>> doors_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  Clock::time_point cut_at_, stop_at_, tick_at_;
  bool draining_ = false, cut_off_ = false;
  std::thread thread_;
};

Status ServerImpl::Open() {
  if (!core_.options.tls.certificate.empty()) {
    LFM_TRY(core_.tls, TlsContext::Load(core_.options.tls));
  }
  std::vector<Listener> listeners;
  for (const int fd : core_.options.inherited) {
    LFM_TRY(Listener listener, Listener::Adopt(fd));
    listeners.push_back(std::move(listener));
  }
  for (const std::string& address : core_.options.addresses) {
    LFM_TRY(std::vector<Listener> opened, Listener::Open(address));
    for (Listener& listener : opened) listeners.push_back(std::move(listener));
  }
  if (listeners.empty()) return Error{ErrorCode::kInvalidArgument, "there is no address to listen on"};
  for (Listener& listener : listeners) {
    if (!listener.is_loopback() && core_.keys->empty() && !core_.options.no_auth) {
      return Error{ErrorCode::kInvalidArgument, StrCat(listener.name(),
                                                       " can be reached from other machines and there is no API key; give one "
                                                       "(--api-key-file), or say --no-auth")};
    }
    GuardOptions guard = MakeGuard(core_.options, listener);
    // The waiter has a descriptor of its own for the same socket: it closes it.
    const int copy = fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0);
    doors_.push_back(
        std::unique_ptr<Door>(new Door{std::move(listener), std::move(guard), asio::posix::stream_descriptor(core_.io)}));
    error_code ec;
    doors_.back()->waiter.assign(copy, ec);
    if (ec) return Error{ErrorCode::kIo, StrCat(doors_.back()->listener.name(), ": ", ec.message())};
  }
  return Ok();
}

Status ServerImpl::Run() {
  RaiseFileLimit();
  for (auto& door : doors_) Accept(*door);
  if (hooks_.reload) {
    error_code ignored;
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) signals_.add(number, ignored);
    WaitForSignal();
  }
  Tick();
  LFM_TRY(thread_, StartThread("the server", [this] { core_.io.run(); }));
  return Ok();
}

std::vector<std::string> ServerImpl::addresses() const {
  std::vector<std::string> names;
  for (const auto& door : doors_) {
    std::string name = door->listener.name();
    if (core_.tls && name.starts_with("http:")) name = "https" + name.substr(4);
    names.push_back(std::move(name));
  }
  return names;
}

void ServerImpl::SetReady(std::shared_ptr<const Router> router) {
  asio::post(core_.io, [this, router = std::move(router)] {
    core_.router = router;
    if (core_.life->get() == Life::kLoading) core_.life->set(Life::kReady);
  });
}

void ServerImpl::Accept(Door& door) {
  door.waiter.async_wait(asio::posix::stream_descriptor::wait_read, [this, &door](const error_code& ec) {
    if (ec) return;
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      const int fd = accept4(door.listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        Welcome(door, fd);
      } else if (errno != ECONNABORTED && errno != EINTR) {
        if (errno == EMFILE || errno == ENFILE) MakeRoom();
        break;
      }
    }
    Accept(door);
  });
}

// Full: the connection that has idled longest goes, for the newest is more likely to be somebody who waits.
void ServerImpl::MakeRoom() {
  const auto found = std::find_if(core_.connections.begin(), core_.connections.end(),
                                  [](const auto& connection) { return connection->evictable(); });
  if (found == core_.connections.end()) return;
  const auto connection = *found;
  connection->Close();
}

void ServerImpl::Welcome(Door& door, int fd) {
  const size_t limit = static_cast<size_t>(core_.options.max_connections);
  if (core_.connections.size() >= limit) MakeRoom();
  if (core_.connections.size() >= limit) {
    close(fd);
    return;
  }
  const int on = 1;
  if (!door.listener.is_unix()) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, static_cast<sockaddr*>(static_cast<void*>(&address)), &size);
  Socket socket(core_.io);
  error_code ec;
  socket.assign(asio::generic::stream_protocol(address.ss_family, 0), fd, ec);
  if (ec) {
    close(fd);
    return;
  }
  auto wire = core_.tls && !door.listener.is_unix() ? core_.tls->Wrap(std::move(socket)) : MakePlainWire(std::move(socket));
  auto connection = std::make_shared<Connection>(core_, std::move(wire), door.guard);
  connection->place = core_.connections.insert(core_.connections.end(), connection);
  connection->Start();
}

void ServerImpl::WaitForSignal() {
  signals_.async_wait([this](const error_code& ec, int number) {
    if (ec) return;
    WaitForSignal();
    if (number == SIGHUP) return hooks_.reload();
    if (!draining_) return BeginDrain();
    if (hooks_.stopping_now) hooks_.stopping_now();
    CutAllOff();
    stop_at_ = std::min(stop_at_, Clock::now() + std::chrono::seconds(1));
  });
}

void ServerImpl::BeginDrain() {
  if (draining_) return;
  draining_ = true;
  core_.life->set(Life::kDraining);
  const auto seconds = [](double s) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s)); };
  const Clock::time_point now = Clock::now();
  ExcuseStall(now);
  tick_at_ = {};
  cut_at_ = now + seconds(core_.options.timeouts.drain);
  stop_at_ = cut_at_ + seconds(kGraceSeconds);
  if (hooks_.draining) hooks_.draining();
  const auto all = core_.connections;
  for (const auto& connection : all) connection->Drain();
  timer_.cancel();
}

void ServerImpl::CutAllOff() {
  cut_off_ = true;
  const auto all = core_.connections;
  for (const auto& connection : all) {
    connection->CutOff({.status = 503, .message = "the server is shutting down", .code = "shutting_down"});
  }
}

// A process that was stopped, or on a machine that slept, finds all deadlines past when it goes on: whatever was lost so
// is added to them, or clients that did their part in time would be cut off.
void ServerImpl::ExcuseStall(Clock::time_point now) {
  const auto lost = now - tick_at_;
  if (tick_at_ == Clock::time_point{} || lost < kTick) return;
  for (const auto& connection : core_.connections) connection->Excuse(lost);
  cut_at_ += lost;
  stop_at_ += lost;
}

void ServerImpl::Tick() {
  const Clock::time_point now = Clock::now();
  ExcuseStall(now);
  for (auto it = core_.connections.begin(); it != core_.connections.end();) {
    const auto connection = *it++;
    connection->Tick(now);
  }
  if (draining_) {
    if (core_.n_exchanges.load() == 0 || now >= stop_at_) return core_.io.stop();
    if (now >= cut_at_ && !cut_off_) CutAllOff();
  }
  tick_at_ = now + (draining_ ? kDrainTick : kTick);
  timer_.expires_at(tick_at_);
  timer_.async_wait([this](const error_code&) { Tick(); });
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, ServerParts parts, ServerHooks hooks) {
  auto server = std::make_unique<ServerImpl>(std::move(options), std::move(parts), std::move(hooks));
  LFM_RETURN_IF_ERROR(server->Open());
  LFM_RETURN_IF_ERROR(server->Run());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace lfm::server
