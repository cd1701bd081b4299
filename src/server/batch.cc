#include "server/batch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/plain_json.h"
#include "base/start_thread.h"
#include "base/strings.h"
#include "base/write_target.h"
#include "server/answer.h"
#include "server/parameters.h"
#include "server/writer.h"

namespace lfm::server {
namespace {

constexpr size_t kMaxFile = size_t{1} << 30;
constexpr size_t kMaxLine = size_t{32} << 20;  // as a request's body

struct BatchLine {
  std::string custom_id, url, body;
};

// Runs what is given to it, in order, on one thread.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> Start() {
    std::unique_ptr<Worker> worker(new Worker);
    LFM_TRY(worker->thread_, StartThread("answers", [self = worker.get()] { self->Loop(); }));
    return worker;
  }
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }
  void Add(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
    }
    wake_.notify_one();
  }

 private:
  Worker() = default;
  void Loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return over_ || !work_.empty(); });
      if (work_.empty()) return;
      auto next = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  bool over_ = false;
  std::thread thread_;  // last: it uses what is above
};

// The answer of one line, as a whole.
class LineReply : public Reply, public std::enable_shared_from_this<LineReply> {
 public:
  using Done = std::function<void(int status, const std::string& body)>;
  LineReply(HttpRequest http, Worker& worker, Done done) : http_(std::move(http)), worker_(worker), done_(std::move(done)) {}
  ~LineReply() override {
    Send(500, "", ErrorBody({500, "The request was not answered.", std::nullopt, std::nullopt}, false), {});
  }

  const HttpRequest& request() const override { return http_; }
  void Send(int status, std::string_view, std::string body, Headers) override {
    if (!ended_.exchange(true)) done_(status, body);
  }
  void Fail(const ApiError& error) override { Send(error.status, "", ErrorBody(error, http_.anthropic), {}); }
  void BeginStream(std::string_view, Headers) override {}
  bool Write(std::string_view) override { return false; }
  void End(std::string_view) override {}
  void CountTokens(int) override {}
  void SetUsage(Usage) override {}
  void OnClosed(std::function<void()>) override {}
  bool closed() const override { return false; }
  void Run(std::function<void()> work) override {
    worker_.Add([keep = shared_from_this(), work = std::move(work)] { work(); });
  }

 private:
  const HttpRequest http_;
  Worker& worker_;
  const Done done_;
  std::atomic<bool> ended_ = false;
};

Error LineError(size_t i, std::string message) { return {ErrorCode::kInvalidArgument, StrCat("line ", i + 1, ": ", message)}; }

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

Result<std::vector<BatchLine>> ReadLines(const Router& router, std::string_view text) {
  std::vector<BatchLine> lines;
  std::unordered_set<std::string> ids;
  const auto texts = SplitLines(text);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto json = ParseJson(texts[i], {.max_depth = kMaxDepth + 1, .max_bytes = kMaxLine});
    if (!json.ok()) return LineError(i, json.error().message);
    const Json& line = *json;
    const std::string& id = line["custom_id"].AsString();
    if (!line["custom_id"].is_string() || id.empty()) return LineError(i, "\"custom_id\" is missing");
    if (!ids.insert(id).second) return LineError(i, StrCat("the custom_id ", Quote(id), " was used before"));
    if (line["method"].AsString() != "POST") return LineError(i, "\"method\" must be POST");
    const std::string& url = line["url"].AsString();
    if (!router.Find("POST", url).route) return LineError(i, StrCat("there is no url ", Quote(url)));
    if (!line["body"].is_object()) return LineError(i, "\"body\" must be an object");
    if (line["body"]["stream"].AsBool()) return LineError(i, "a batch has no streams");
    lines.push_back({id, url, Compact(line["body"])});
  }
  return lines;
}

constexpr std::string_view kResultBegin = "{\"id\":\"batch_req_";

// The results file: whole lines only, each on disk as it is written.
class Results {
 public:
  static Result<std::unique_ptr<Results>> Open(const std::string& path, std::unordered_set<std::string>& done) {
    LFM_TRY(const WriteTarget target, FindWriteTarget(path));
    // A pipe or device holds no results of before, and reading it could wait for ever.
    if (!target.is_file()) return std::unique_ptr<Results>(new Results(path, target.stream));
    std::string text;
    if (FileExists(path)) {
      LFM_TRY(text, ReadWholeFile(path, kMaxFile));
    }
    const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
    const auto lines = SplitLines(std::string_view(text).substr(0, whole));
    for (size_t i = 0; i < lines.size(); ++i) {
      auto json = ParseJson(lines[i], {.max_depth = kMaxDepth + 8});
      if (!json.ok() || !(*json)["custom_id"].is_string() || !(*json)["response"].is_object()) return NoResult(path, i);
      done.insert((*json)["custom_id"].AsString());
    }
    // What an interrupted run wrote of its last line is written anew. Anything else there is not ours to cut.
    const std::string_view rest = std::string_view(text).substr(whole), begin = kResultBegin;
    if (!rest.starts_with(begin) && !begin.starts_with(rest)) return NoResult(path, lines.size());
    const int fd = ::open(target.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(whole)) != 0 || ::lseek(fd, 0, SEEK_END) < 0) {
      const Error error = WriteError(path, "write", errno);
      if (fd >= 0) ::close(fd);
      return error;
    }
    return std::unique_ptr<Results>(new Results(path, fd));
  }
  ~Results() { ::close(fd_); }
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;

  // Nothing in it can steer a terminal, should the output be one (/dev/stdout).
  Status Append(const std::string& line) {
    const std::string shown = isatty(fd_) != 0 ? PlainJson(line) : line;
    return WriteFully(fd_, std::as_bytes(std::span(shown)), -1, path_);
  }

 private:
  static Error NoResult(const std::string& path, size_t i) {
    return {ErrorCode::kInvalidArgument,
            StrCat(Plain(path), ": line ", i + 1, " is no result of a batch; name another file or remove this one")};
  }

  Results(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  const std::string path_;
  const int fd_;
};

std::string ResultLine(const std::string& custom_id, const std::string& request_id, int status, const std::string& body) {
  auto parsed = ParseJson(body);
  const Json response = Json::MakeObject(
      {{"status_code", status}, {"request_id", request_id}, {"body", parsed.ok() ? std::move(parsed).value() : Json()}});
  return Compact(Json::MakeObject(
             {{"id", RandomId("batch_req_")}, {"custom_id", custom_id}, {"response", response}, {"error", nullptr}})) +
         "\n";
}

}  // namespace

Result<BatchSummary> RunBatch(const Router& router, std::string_view in, const std::string& in_name, const std::string& out_path,
                              const BatchOptions& options) {
  auto lines = ReadLines(router, in);
  if (!lines.ok()) return lines.error().Within(in_name);
  std::unordered_set<std::string> done;
  LFM_TRY(const auto results, Results::Open(out_path, done));
  BatchSummary summary;
  summary.n_lines = static_cast<int64_t>(lines->size());

  std::mutex mutex;
  std::condition_variable changed;
  int n_running = 0;
  Status failed;
  LFM_TRY(const auto worker, Worker::Start());
  for (const BatchLine& line : *lines) {
    if (done.count(line.custom_id)) {
      ++summary.n_before;
      continue;
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return n_running < options.n_together; });
    if (!failed.ok() || (options.cancel && options.cancel->load())) break;
    ++n_running;
    lock.unlock();
    HttpRequest http;
    http.method = "POST";
    http.path = line.url;
    http.body = line.body;
    http.request_id = RandomId("req_");
    http.caller = std::make_shared<const Caller>();
    http.arrived = Clock::now();
    const std::string request_id = http.request_id;
    const auto reply = std::make_shared<LineReply>(
        std::move(http), *worker, [&, id = line.custom_id, request_id](int status, const std::string& body) {
          const std::lock_guard guard(mutex);
          if (failed.ok()) failed = results->Append(ResultLine(id, request_id, status, body));
          ++(status == 200 ? summary.n_answered : summary.n_refused);
          --n_running;
          if (options.on_progress) {
            options.on_progress(summary.n_before + summary.n_answered + summary.n_refused, summary.n_lines);
          }
          changed.notify_all();
        });
    router.Find("POST", line.url).route->handler(reply->request(), reply);
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return n_running == 0; });
  if (!failed.ok()) return failed.error();
  return summary;
}

}  // namespace lfm::server
