// The misbehaving server and the fake hub.
#include "hub/fault_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include "base/json.h"
#include "base/strings.h"
#include "hub/hash.h"
#include "hub/url.h"

namespace lfm::hub::test {
namespace {

constexpr int kGateMilliseconds = 120'000;  // then it opens by itself, and the test fails by what it sees

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Closes with a reset, as a lost connection looks.
void Reset(int fd) {
  const linger hard{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::optional<Query> ReadQuery(int fd) {
  std::string text;
  char buffer[4096];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0 || text.size() > (1 << 16)) return std::nullopt;
    text.append(buffer, static_cast<size_t>(n));
  }
  Query query;
  const size_t first = text.find(' '), second = text.find(' ', first + 1);
  query.method = text.substr(0, first);
  query.target = text.substr(first + 1, second - first - 1);
  for (size_t at = text.find("\r\n") + 2; text.compare(at, 2, "\r\n") != 0;) {
    const size_t end = text.find("\r\n", at), colon = text.find(": ", at);
    if (colon < end) query.headers[Lower(text.substr(at, colon - at))] = text.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  return query;
}

}  // namespace

void Reply::Set(const std::string& name, const std::string& value) {
  for (auto& [known, old] : headers) {
    if (known == name) {
      old = value;
      return;
    }
  }
  headers.emplace_back(name, value);
}

FaultServer::FaultServer(Handler handler) : handler_(std::move(handler)) {
  setenv("no_proxy", "*", 1);  // a proxy of the developer's has no part in this
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

FaultServer::~FaultServer() {
  stop_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
}

std::string FaultServer::Origin(const std::string& host) const { return StrCat("http://", host, ":", port_); }

void FaultServer::Accept() {
  while (!stop_) {
    pollfd ready{listener_, POLLIN, 0};
    if (poll(&ready, 1, 20) <= 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void FaultServer::Serve(int fd) {
  const timeval limit{120, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (const auto query = ReadQuery(fd)) Send(fd, *query, handler_(*query));
  close(fd);
}

void FaultServer::Send(int fd, const Query& query, const Reply& reply) {
  if (reply.cut_head) return Reset(fd);
  if (reply.garbage) {
    SendAll(fd, "\x16\x03\x01 this is no HTTP\r\n\r\n");
    return;
  }
  std::string head = StrCat("HTTP/1.1 ", reply.status, " Reason\r\nConnection: close\r\n");
  bool length = false;
  for (const auto& [name, value] : reply.headers) {
    head += StrCat(name, ": ", value, "\r\n");
    length = length || name == "Content-Length";
  }
  if (!length) head += StrCat("Content-Length: ", reply.body.size(), "\r\n");
  if (!SendAll(fd, head + "\r\n") || query.method == "HEAD") return;
  std::string_view body = reply.body;
  if (reply.cut_after) body = body.substr(0, *reply.cut_after);
  for (int i = 0; i < kGateMilliseconds && reply.gate && !*reply.gate && !stop_; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  while (!body.empty() && !stop_) {
    const auto pause_end = std::chrono::steady_clock::now() + std::chrono::duration<double>(reply.pause_s);
    while (!stop_ && std::chrono::steady_clock::now() < pause_end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(reply.pause_s > 0.05 ? 10 : 1));
    }
    const size_t n = std::min(body.size(), reply.piece);
    if (!SendAll(fd, body.substr(0, n))) return;
    body.remove_prefix(n);
  }
  if (reply.cut_after) {
    // A reset drops what the client has not read yet; give it a moment so that cuts land at different
    // offsets.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    Reset(fd);
  }
}

Reply RangeReply(const Query& query, const std::string& content) {
  Reply reply;
  reply.Set("Accept-Ranges", "bytes");
  const auto range = query.headers.find("range");
  if (range == query.headers.end()) {
    reply.body = content;
    return reply;
  }
  size_t first = 0, last = 0;
  if (std::sscanf(range->second.c_str(), "bytes=%zu-%zu", &first, &last) != 2 || first >= content.size()) {
    reply.status = 416;
    reply.Set("Content-Range", StrCat("bytes */", content.size()));
    return reply;
  }
  last = std::min(last, content.size() - 1);
  reply.status = 206;
  reply.Set("Content-Range", StrCat("bytes ", first, "-", last, "/", content.size()));
  reply.body = content.substr(first, last - first + 1);
  return reply;
}

std::string EtagOf(const FakeFile& file) {
  auto hasher = Hasher::Create(file.lfs ? HashKind::kSha256 : HashKind::kGitBlob, file.content.size());
  hasher.value().Update(std::as_bytes(std::span(file.content)));
  return hasher.value().Finish();
}

std::string RandomBytes(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(n, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

FakeHub::FakeHub()
    : storage_([this](const Query& query) { return AnswerStorage(query); }),
      hub_([this](const Query& query) { return AnswerHub(query); }) {}

void FakeHub::SetFault(Fault fault) {
  const std::lock_guard lock(mutex_);
  fault_ = std::move(fault);
}

void FakeHub::Apply(Site site, const Query& query, Reply& reply) {
  const std::lock_guard lock(mutex_);
  if (fault_) fault_(site, query, reply);
}

Reply FakeHub::Tree(const std::string& repo, const std::string& target) {
  const size_t cursor = target.find("cursor=");
  const size_t begin = cursor == std::string::npos ? 0 : std::strtoull(target.c_str() + cursor + 7, nullptr, 10);
  Json list = Json::MakeArray();
  list.Append(Json::MakeObject({{"type", "directory"}, {"path", "sub"}, {"oid", "x"}, {"size", 0}}));
  size_t i = 0;
  for (const auto& [path, file] : repos[repo]) {
    if (i++ < begin || i > begin + page_size) continue;
    Json entry = Json::MakeObject({{"type", "file"}, {"path", path}});
    entry.Set("size", uint64_t{file.content.size()});
    if (list_hashes && file.lfs) {
      Json lfs;
      lfs.Set("oid", EtagOf(file)).Set("size", uint64_t{file.content.size()}).Set("pointerSize", 134);
      entry.Set("oid", std::string(40, 'a')).Set("lfs", std::move(lfs));
    } else if (list_hashes) {
      entry.Set("oid", EtagOf(file));
    }
    list.Append(std::move(entry));
  }
  Reply reply;
  reply.body = list.Dump();
  if (begin + page_size < repos[repo].size()) {
    reply.Set("Link", StrCat("<", endpoint(), "/api/models/", repo, "/tree/", commit,
                             "?recursive=true&cursor=", begin + page_size, ">; rel=\"next\""));
  }
  return reply;
}

Reply FakeHub::Resolve(const Query& query, const std::string& repo, const std::string& path) {
  const auto found = repos[repo].find(path);
  Reply reply;
  if (found == repos[repo].end()) {
    reply.status = 404;
    reply.Set("X-Error-Code", "EntryNotFound");
    return reply;
  }
  const FakeFile& file = found->second;
  if (!file.lfs) {
    reply = RangeReply(query, file.content);
    reply.Set("ETag", "\"" + EtagOf(file) + "\"");
  } else {
    reply.status = 302;
    reply.body = "Found. Redirecting";
    reply.Set("Location", StrCat(storage_origin(), "/", repo, "/", PercentEncode(path, true), "?X-Signature=abc"));
    reply.Set("X-Linked-Etag", "\"" + EtagOf(file) + "\"");
    reply.Set("X-Linked-Size", std::to_string(file.content.size()));
  }
  reply.Set("X-Repo-Commit", commit);
  return reply;
}

Reply FakeHub::AnswerHub(const Query& query) {
  Publish();  // the other half: sees what was set
  ++n_requests;
  Reply reply;
  reply.status = 404;
  const std::string path = query.target.substr(0, query.target.find('?'));
  const auto authorization = query.headers.find("authorization");
  const bool allowed = token.empty() || (authorization != query.headers.end() && authorization->second == "Bearer " + token);
  for (const auto& [repo, files] : repos) {
    const std::string api = "/api/models/" + repo + "/", resolve = "/" + repo + "/resolve/";
    if (path.rfind(api + "revision/", 0) == 0) {
      reply.status = 200;
      reply.body = StrCat("{\"id\": \"", repo, "\", \"sha\": \"", commit, "\"}");
    } else if (path.rfind(api + "tree/", 0) == 0) {
      reply = Tree(repo, query.target);
    } else if (path.rfind(resolve, 0) == 0) {
      const size_t slash = path.find('/', resolve.size());
      reply = Resolve(query, repo, PercentDecode(path.substr(slash + 1)));
    } else {
      continue;
    }
    if (!allowed) {
      reply = Reply();
      reply.status = 401;
      reply.Set("X-Error-Code", "GatedRepo");
      reply.Set("X-Error-Message", "Access to this model is restricted");
    }
  }
  Apply(Site::kHub, query, reply);
  return reply;
}

Reply FakeHub::AnswerStorage(const Query& query) {
  Publish();
  ++n_storage_requests;
  if (query.Has("authorization")) token_leaked = true;
  Reply reply;
  reply.status = 404;
  const std::string path = PercentDecode(query.target.substr(1, query.target.find('?') - 1));
  for (const auto& [repo, files] : repos) {
    if (path.rfind(repo + "/", 0) != 0) continue;
    const auto found = files.find(path.substr(repo.size() + 1));
    if (found == files.end()) continue;
    reply = RangeReply(query, found->second.content);
    reply.Set("ETag", "\"storage-etag\"");
  }
  Apply(Site::kStorage, query, reply);
  storage_bytes += reply.body.size();
  return reply;
}

}  // namespace lfm::hub::test
