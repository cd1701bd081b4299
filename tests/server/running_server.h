// A server on a free loopback port with a few small routes, for tests.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http_client.h"
#include "server/server.h"

namespace lfm::server {

struct Recorder : Observer {
  void OnFinish(const Record& record) override {
    std::lock_guard lock(mutex);
    statuses.push_back(record.status);
    last_route = record.route;
    changed.notify_all();
  }
  void OnUsage(const Record& record, std::function<void()> stored) override {
    {
      std::lock_guard lock(mutex);
      tokens += record.usage->completion_tokens;
      if (hold_usage) held.push_back(std::exchange(stored, nullptr));
      changed.notify_all();
    }
    if (stored) stored();
  }
  // In short waits, so that a process that was stopped for long still looks.
  bool WaitFor(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex);
    for (int i = 0; i < 1200; ++i) {
      if (changed.wait_for(lock, std::chrono::milliseconds(100), condition)) return true;
    }
    return false;
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> statuses;
  std::string last_route;
  int64_t tokens = 0;
  bool hold_usage = false;
  std::vector<std::function<void()>> held;
};

struct RunningServer {
  explicit RunningServer(ServerOptions options = {}, std::vector<KeyEntry> key_entries = {}, bool ready = true) {
    if (options.addresses.empty()) options.addresses = {"127.0.0.1:0"};
    keys = KeyRing::Load(std::move(key_entries), "").value();
    auto early = std::make_shared<Router>();
    AddHealth(*early);
    auto full = std::make_shared<Router>();
    AddHealth(*full);
    AddRoutes(*full);
    auto started = Server::Start(std::move(options), {keys, early, &recorder, life});
    if (!started.ok()) {
      error = started.error().message;
      return;
    }
    server = std::move(started).value();
    const std::string name = server->addresses().front();
    if (name.starts_with("http")) port = std::stoi(name.substr(name.rfind(':') + 1));
    if (!ready) return;
    server->SetReady(full);
    while (life->get() == Life::kLoading) std::this_thread::yield();
  }

  ~RunningServer() {  // the server waits for replies that somebody holds
    waiting.clear();
    recorder.held.clear();
  }

  void AddHealth(Router& router) {
    router.Add("GET", "/health",
               [](const HttpRequest&, const std::shared_ptr<Reply>& reply) {
                 reply->Send(200, "application/json", R"({"status": "ok"})");
               },
               {.open = true, .quick = true, .always = true});
  }

  void AddRoutes(Router& router) {
    router.Add("POST", "/v1/echo",
               [](const HttpRequest& request, const std::shared_ptr<Reply>& reply) {
                 reply->Send(200, "application/json", request.body);
               },
               {.quick = true});
    router.Add("GET", "/v1/who/{name...}", [](const HttpRequest& request, const std::shared_ptr<Reply>& reply) {
      reply->Send(200, "text/plain",
                  std::string(request.param("name")) + "|" + request.caller->label + "|" + std::string(request.query_value("q")));
    });
    router.Add("POST", "/v1/stream", [](const HttpRequest&, const std::shared_ptr<Reply>& reply) {
      reply->BeginStream("text/event-stream");
      for (int i = 0; i < 3; ++i) reply->Write("data: " + std::to_string(i) + "\n\n");
      reply->SetUsage({.model = "m", .prompt_tokens = 2, .completion_tokens = 3, .finish_reason = "stop"});
      reply->End("data: [DONE]\n\n");
    });
    // Answers when the test says so, or never; notes that the client left.
    router.Add("POST", "/v1/wait", [this](const HttpRequest&, const std::shared_ptr<Reply>& reply) {
      reply->OnClosed([this] {
        std::lock_guard lock(recorder.mutex);
        ++n_gone;
        recorder.changed.notify_all();
      });
      std::lock_guard lock(recorder.mutex);
      waiting.push_back(reply);
      recorder.changed.notify_all();
    });
    // Holds the server's own thread until the test lets it go.
    router.Add("POST", "/v1/hold",
               [this](const HttpRequest&, const std::shared_ptr<Reply>& reply) {
                 is_holding = true;
                 is_holding.notify_all();
                 is_holding.wait(true);
                 reply->Send(200, "text/plain", "");
               },
               {.quick = true});
    router.Add("POST", "/v1/drop", [](const HttpRequest&, const std::shared_ptr<Reply>&) {});
    router.Add("POST", "/v1/throw", [](const HttpRequest&, const std::shared_ptr<Reply>&) { throw std::bad_alloc(); });
    router.Add("POST", "/v1/messages",
               [](const HttpRequest&, const std::shared_ptr<Reply>& reply) { reply->Fail({.status = 400, .message = "no"}); });
  }

  std::shared_ptr<Reply> NextWaiting() {
    if (!recorder.WaitFor([this] { return !waiting.empty(); })) return nullptr;
    std::lock_guard lock(recorder.mutex);
    auto reply = waiting.back();
    waiting.pop_back();
    return reply;
  }
  // One request on a connection of its own; everything that comes back.
  std::string Ask(const std::string& request) const {
    RawClient client(port);
    std::string closing = request;
    if (const size_t line = closing.find("\r\n"); line != std::string::npos) closing.insert(line + 2, "Connection: close\r\n");
    client.Send(closing);
    return client.Read();
  }

  Recorder recorder;
  std::shared_ptr<Lifecycle> life = std::make_shared<Lifecycle>();
  std::shared_ptr<KeyRing> keys;
  std::vector<std::shared_ptr<Reply>> waiting;
  int n_gone = 0;
  std::atomic<bool> is_holding{false};
  std::string error;
  int port = 0;
  std::unique_ptr<Server> server;
};

inline std::string Get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}
inline std::string Post(const std::string& path, const std::string& body, const std::string& more = "") {
  return "POST " + path +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + more + "\r\n" + body;
}

}  // namespace lfm::server
