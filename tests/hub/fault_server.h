// A small HTTP/1.1 server on 127.0.0.1 for tests, which can misbehave in every way a network can; and over it
// a hub with its storage on another origin.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lfm::hub::test {

struct Query {
  std::string method, target;
  std::map<std::string, std::string> headers;  // names in lower case
  bool Has(const std::string& header) const { return headers.count(header) > 0; }
};

// Shared, as a reply that waits may outlive the test's body.
using Gate = std::atomic<bool>;

struct Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  void Set(const std::string& name, const std::string& value);
  // Misbehaviour:
  std::optional<size_t> cut_after;   // the connection is reset after that many bytes of the body
  bool cut_head = false;             // it is reset before a byte is sent
  bool garbage = false;              // something that is no HTTP
  size_t piece = size_t{64} << 10;   // the body is sent in pieces of this size
  double pause_s = 0;                // with a pause before each
  std::shared_ptr<const Gate> gate;  // nothing of the body is sent before this is true
};

class FaultServer {
 public:
  using Handler = std::function<Reply(const Query&)>;
  explicit FaultServer(Handler handler);
  ~FaultServer();
  FaultServer(const FaultServer&) = delete;

  int port() const { return port_; }
  // "http://HOST:PORT"
  std::string Origin(const std::string& host = "127.0.0.1") const;

 private:
  void Accept();
  void Serve(int fd);
  void Send(int fd, const Query& query, const Reply& reply);

  Handler handler_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

struct FakeFile {
  std::string content;
  bool lfs = true;
};

// Answers the part of the hub's protocol that pulls use. LFS files are redirected to the storage, another
// server.
class FakeHub {
 public:
  enum class Site { kHub, kStorage };
  // May change the good answer to a query. Called under a lock; it owns what it uses, as requests that a
  // client gave up may reach the hub when the test's body is over.
  using Fault = std::function<void(Site, const Query&, Reply&)>;

  FakeHub();
  std::string endpoint() const { return hub_.Origin(); }
  std::string storage_origin() const { return storage_.Origin("localhost"); }

  // Files by "org/name", then path. Not while requests run.
  std::map<std::string, std::map<std::string, FakeFile>> repos;
  std::string commit = "0123456789abcdef0123456789abcdef01234567";
  std::string token;        // when set, the hub wants it
  size_t page_size = 1000;  // of the tree
  bool list_hashes = true;  // false: the tree names no hashes

  void SetFault(Fault fault);
  // Before requests of another process: a socket orders memory for ThreadSanitizer within one process only.
  void Publish() { const std::lock_guard lock(mutex_); }

  // What was seen.
  std::atomic<uint64_t> n_requests{0}, n_storage_requests{0}, storage_bytes{0};
  std::atomic<bool> token_leaked{false};  // a storage request carried an Authorization

 private:
  Reply AnswerHub(const Query& query);
  Reply AnswerStorage(const Query& query);
  Reply Tree(const std::string& repo, const std::string& target);
  Reply Resolve(const Query& query, const std::string& repo, const std::string& path);
  void Apply(Site site, const Query& query, Reply& reply);

  std::mutex mutex_;
  Fault fault_;
  FaultServer storage_, hub_;
};

// Serves `content` with ranges as a storage does.
Reply RangeReply(const Query& query, const std::string& content);
// The etag of a file on the hub.
std::string EtagOf(const FakeFile& file);
// Reproducible bytes.
std::string RandomBytes(size_t n, uint64_t seed);

}  // namespace lfm::hub::test
