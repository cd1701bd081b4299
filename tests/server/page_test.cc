// The page's files and how they are given: types, tags, compression, and the headers that confine a browser.
#include <gtest/gtest.h>

#include <string>

#include "server/page.h"

namespace lfm::server {
namespace {

// Keeps what was sent.
class Kept : public Reply {
 public:
  explicit Kept(HttpRequest request) : request_(std::move(request)) {}
  const HttpRequest& request() const override { return request_; }
  void Send(int status, std::string_view content_type, std::string body, Headers headers) override {
    status_ = status;
    type_ = content_type;
    body_ = std::move(body);
    headers_ = std::move(headers);
  }
  void Fail(const ApiError&) override {}
  void BeginStream(std::string_view, Headers) override {}
  bool Write(std::string_view) override { return false; }
  void End(std::string_view) override {}
  void CountTokens(int) override {}
  void SetUsage(Usage) override {}
  void OnClosed(std::function<void()>) override {}
  bool closed() const override { return false; }
  void Run(std::function<void()>) override {}

  std::string Header(std::string_view name) const {
    for (const auto& [key, value] : headers_) {
      if (key == name) return value;
    }
    return "";
  }

  HttpRequest request_;
  int status_ = 0;
  std::string type_, body_;
  Headers headers_;
};

Kept FetchPage(std::string_view path, Headers headers = {}) {
  HttpRequest request;
  request.method = "GET";
  request.path = path;
  request.headers = std::move(headers);
  Kept reply(std::move(request));
  Router router;
  AddPageRoutes(router);
  const Router::Match match = router.Find("GET", path);
  if (match.route != nullptr) {
    EXPECT_TRUE(match.route->options.open);
    match.route->handler(reply.request_, std::shared_ptr<Reply>(&reply, [](Reply*) {}));
  }
  return reply;
}

TEST(Page, GivesEveryFileWithItsType) {
  EXPECT_EQ(FetchPage("/").type_, "text/html; charset=utf-8");
  EXPECT_EQ(FetchPage("/app.js").type_, "text/javascript; charset=utf-8");
  EXPECT_EQ(FetchPage("/app.css").type_, "text/css; charset=utf-8");
  EXPECT_EQ(FetchPage("/icon.svg").type_, "image/svg+xml");
  EXPECT_EQ(FetchPage("/licenses.txt").type_, "text/plain; charset=utf-8");
  EXPECT_NE(FetchPage("/").body_.find("<script type=\"module\" src=\"app.js\">"), std::string::npos);
  EXPECT_EQ(FetchPage("/index.html").status_, 0);
  EXPECT_EQ(FindPageFile("/../app.js"), nullptr);
  EXPECT_EQ(FindPageFile(""), nullptr);
}

TEST(Page, StaysUnder150KilobytesForTheFirstLoad) {
  size_t total = 0;
  for (const PageFile& file : PageFiles()) {
    if (file.path != "/licenses.txt") total += file.gzip.size();
    EXPECT_LT(file.gzip.size(), file.bytes.size()) << file.path;
    EXPECT_EQ(file.gzip.substr(0, 3), "\x1f\x8b\x08") << file.path;
    EXPECT_EQ(file.gzip.substr(4, 4), std::string(4, '\0')) << file.path;  // no time: builds are the same
  }
  EXPECT_GT(total, 10'000u);
  EXPECT_LT(total, 150'000u);
}

TEST(Page, CompressesWhereTheClientTakesIt) {
  const PageFile& file = *FindPageFile("/app.js");
  for (const char* accepted : {"gzip", "deflate, gzip;q=0.5, br", " gzip ; q=1.0"}) {
    const Kept reply = FetchPage("/app.js", {{"accept-encoding", accepted}});
    EXPECT_EQ(reply.Header("Content-Encoding"), "gzip") << accepted;
    EXPECT_EQ(reply.body_, file.gzip) << accepted;
  }
  for (const char* accepted : {"", "br", "gzip;q=0", "gzip; q=0.000", "xgzip"}) {
    const Kept reply = FetchPage("/app.js", {{"accept-encoding", accepted}});
    EXPECT_EQ(reply.Header("Content-Encoding"), "") << accepted;
    EXPECT_EQ(reply.body_, file.bytes) << accepted;
    EXPECT_EQ(reply.Header("Vary"), "Accept-Encoding");
  }
}

TEST(Page, SaysNotModifiedForItsTag) {
  const std::string tag = FetchPage("/app.css").Header("ETag");
  ASSERT_GT(tag.size(), 10u);
  for (const std::string& sent : {tag, tag.substr(2), "\"other\", " + tag, std::string("*")}) {
    const Kept reply = FetchPage("/app.css", {{"if-none-match", sent}});
    EXPECT_EQ(reply.status_, 304) << sent;
    EXPECT_EQ(reply.body_, "");
    EXPECT_EQ(reply.Header("ETag"), tag);
  }
  EXPECT_EQ(FetchPage("/app.css", {{"if-none-match", "\"other\""}}).status_, 200);
  EXPECT_NE(FetchPage("/app.js").Header("ETag"), tag);
}

TEST(Page, ConfinesTheBrowser) {
  for (const PageFile& file : PageFiles()) {
    const Kept reply = FetchPage(file.path);
    const std::string policy = reply.Header("Content-Security-Policy");
    EXPECT_NE(policy.find("default-src 'self'"), std::string::npos);
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(reply.Header("Referrer-Policy"), "no-referrer");
  }
}

}  // namespace
}  // namespace lfm::server
