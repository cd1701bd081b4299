// Keys, limits, guards, ledger, metrics and the log line, each by itself.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <future>

#include "base/file.h"
#include "server/bookkeeper.h"
#include "server/guard.h"

namespace lfm::server {
namespace {

std::string TempPath(const std::string& name) {
  const std::string path = testing::TempDir() + "/lfm_books_" + std::to_string(getpid()) + name;
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
  return path;
}

std::string Hex(const Sha256& hash) {
  std::string text;
  char digits[3];
  for (const unsigned char byte : hash) {
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

TEST(Keys, AreFoundByTheirHashOnly) {
  const std::string hash = Hex(HashKey("geheim"));
  EXPECT_EQ(Hex(HashKey("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  auto keys = ParseKeys("# people\nabc label=anna rpm=2 tpm=100 budget=0.5\n\n  sha256:" + hash + "  # no label\r\n");
  ASSERT_TRUE(keys.ok());
  const auto ring = KeyRing::Load(*keys, "").value();
  EXPECT_FALSE(ring->empty());
  EXPECT_EQ(ring->Find("abc")->label, "anna");
  EXPECT_EQ(ring->Find("abc")->id, "ba7816bf8f01");
  EXPECT_EQ(ring->Find("geheim")->label, hash.substr(0, 12));
  for (const std::string& wrong : std::vector<std::string>{"", "ab", "abcd", "ABC", "sha256:" + hash})
    EXPECT_EQ(ring->Find(wrong), nullptr) << wrong;
  EXPECT_EQ(ring->Find(std::nullopt), nullptr);
  const auto open = KeyRing::Load({}, "").value();
  EXPECT_EQ(open->Find(std::nullopt)->id, "");
  EXPECT_EQ(open->Find("anything")->id, "");
}

TEST(Keys, ErrorsNameTheLineAndNeverTheKey) {
  for (const std::string bad : {"geheim label=", "geheim rpm=0", "geheim rpm=-1", "geheim tpm=x", "geheim budget=1.0000000000001",
                                "geheim fly=1", "sha256:geheim", "geheim label=a\"b"}) {
    const auto keys = ParseKeys("ok\n" + bad + "\n");
    ASSERT_FALSE(keys.ok()) << bad;
    EXPECT_NE(keys.error().message.find("line 2"), std::string::npos) << keys.error().message;
    EXPECT_EQ(keys.error().message.find("geheim"), std::string::npos) << keys.error().message;
  }
}

TEST(Keys, DollarsAreExact) {
  EXPECT_EQ(ParseDollars("1"), 1'000'000'000'000);
  EXPECT_EQ(ParseDollars("0.000000000001"), 1);
  EXPECT_EQ(ParseDollars("12.5"), 12'500'000'000'000);
  for (const char* bad : {"", ".", "1.", ".5", "-1", "1e3", "+1", "1.0000000000001", "9999999"}) {
    EXPECT_EQ(ParseDollars(bad), std::nullopt) << bad;
  }
}

TEST(Keys, LimitsRefillAndBudgetsEnd) {
  const auto ring = KeyRing::Load(ParseKeys("a rpm=2 tpm=60\nb budget=0.000000000010").value(), "").value();
  const Caller a = *ring->Find("a"), b = *ring->Find("b");
  const auto start = Clock::now() + std::chrono::hours(1);
  EXPECT_FALSE(ring->Admit(a, start));
  EXPECT_FALSE(ring->Admit(a, start));
  const auto refused = ring->Admit(a, start);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->code, "rate_limit_exceeded");
  EXPECT_EQ(refused->headers, (Headers{{"Retry-After", "30"}}));
  EXPECT_FALSE(ring->Admit(a, start + std::chrono::seconds(30)));
  ring->Charge(a, 90, 0, start + std::chrono::seconds(60));
  const auto tokens = ring->Admit(a, start + std::chrono::seconds(61));
  ASSERT_TRUE(tokens);
  EXPECT_NE(tokens->message.find("60 tokens a minute"), std::string::npos);
  EXPECT_FALSE(ring->Admit(a, start + std::chrono::seconds(120)));
  ring->Charge(b, 5, 9);
  EXPECT_FALSE(ring->Admit(b));
  ring->Charge(b, 5, 1);
  EXPECT_EQ(ring->Admit(b)->code, "insufficient_quota");
}

TEST(Keys, ReloadKeepsTheOldOnesWhenTheFileIsWrong) {
  const std::string path = TempPath("keys");
  const auto write = [&](std::string_view text) {
    auto file = AtomicFile::Create(path).value();
    ASSERT_TRUE(file.Append(text).ok());
    ASSERT_TRUE(file.Commit().ok());
  };
  EXPECT_FALSE(KeyRing::Load({}, path).ok());
  write("first rpm=1\n");
  const auto ring = KeyRing::Load({}, path).value();
  EXPECT_FALSE(ring->Admit(*ring->Find("first")));
  write("first rpm=1\nsecond\n");
  ASSERT_TRUE(ring->Reload().ok());
  EXPECT_NE(ring->Find("second"), nullptr);
  EXPECT_TRUE(ring->Admit(*ring->Find("first")));
  for (const char* bad : {"", "# nothing\n", "x fly=1\n"}) {
    write(bad);
    EXPECT_FALSE(ring->Reload().ok());
    EXPECT_NE(ring->Find("second"), nullptr);
  }
}

HttpRequest With(Headers headers) {
  HttpRequest request;
  request.method = "GET";
  request.headers = std::move(headers);
  return request;
}

TEST(Guard, HostsAreLoopbackNamesUnlessAllowed) {
  const GuardOptions local;
  for (const char* good :
       {"localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080", "a.localhost", "localhost."}) {
    EXPECT_FALSE(CheckOrigins(With({{"host", good}}), local)) << good;
  }
  for (const char* bad : {"example.org", "localhost.evil.org", "192.168.1.1", "127.0.0.1.evil.org", "0.0.0.0", "[::2]", "[::1",
                          "localhost:x", "localhost:80:80", "localhost:999999", ":80", "127.0.0.1@evil.org"}) {
    const auto problem = CheckOrigins(With({{"host", bad}}), local);
    ASSERT_TRUE(problem) << bad;
    EXPECT_EQ(problem->status, 403);
  }
  EXPECT_FALSE(CheckOrigins(With({{"host", "api.example.org:443"}}), {.allowed_hosts = {"api.example.org"}}));
  EXPECT_FALSE(CheckOrigins(With({{"host", "any"}}), {.allowed_hosts = {"*"}}));
  EXPECT_FALSE(CheckOrigins(With({{"host", "192.168.1.1:8080"}}), {.address_names = true}));
  EXPECT_TRUE(CheckOrigins(With({{"host", "evil.org"}}), {.address_names = true}));
}

TEST(Guard, OriginsAreOwnOrListed) {
  const Headers own{{"host", "localhost:8080"}, {"origin", "http://localhost:8080"}};
  EXPECT_FALSE(CheckOrigins(With(own), {}));
  for (const char* foreign : {"http://localhost:3000", "https://evil.org", "null", "http://localhost:8080.evil.org"}) {
    EXPECT_TRUE(CheckOrigins(With({{"host", "localhost:8080"}, {"origin", foreign}}), {})) << foreign;
  }
  const GuardOptions cors{.cors_origins = {"https://app.example.org"}};
  const HttpRequest listed = With({{"host", "localhost"}, {"origin", "https://app.example.org"}});
  EXPECT_FALSE(CheckOrigins(listed, cors));
  EXPECT_EQ(CorsHeaders(listed, cors)[1], (Header{"Access-Control-Allow-Origin", "https://app.example.org"}));
  EXPECT_EQ(CorsHeaders(With({}), cors), (Headers{{"Vary", "Origin"}}));
  EXPECT_EQ(CorsHeaders(listed, {}), Headers{});
  // Pages of this machine, at any port; a preflight of others is answered, without what would let them in.
  const GuardOptions local{.cors_origins = {"localhost"}};
  for (const char* origin : {"http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:3000"}) {
    const HttpRequest request = With({{"host", "127.0.0.1:8080"}, {"origin", origin}});
    EXPECT_FALSE(CheckOrigins(request, local)) << origin;
    EXPECT_EQ(CorsHeaders(request, local)[1], (Header{"Access-Control-Allow-Origin", origin}));
  }
  for (const char* origin : {"http://evil.com", "http://notlocalhost", "http://localhost.evil.com", "ftp://localhost", "null"}) {
    HttpRequest request = With({{"host", "127.0.0.1:8080"}, {"origin", origin}, {"access-control-request-method", "POST"}});
    EXPECT_TRUE(CheckOrigins(request, local)) << origin;
    request.method = "OPTIONS";
    EXPECT_FALSE(CheckOrigins(request, local)) << origin;
    EXPECT_EQ(CorsHeaders(request, local), (Headers{{"Vary", "Origin"}}));
  }
  const Headers preflight = PreflightHeaders("POST");
  EXPECT_NE(preflight[1].second.find("X-Stainless-Retry-Count"), std::string::npos);
}

TEST(Guard, KeysComeAsBearerOrXApiKey) {
  EXPECT_EQ(PresentedKey(With({{"authorization", "Bearer abc"}})), "abc");
  EXPECT_EQ(PresentedKey(With({{"authorization", "bearer  abc"}})), "abc");
  EXPECT_EQ(PresentedKey(With({{"authorization", "Basic abc"}})), std::nullopt);
  EXPECT_EQ(PresentedKey(With({{"authorization", "Bearer"}})), std::nullopt);
  EXPECT_EQ(PresentedKey(With({{"x-api-key", "abc"}})), "abc");
  EXPECT_EQ(PresentedKey(With({})), std::nullopt);
}

LedgerRow Row(int64_t time_us, std::string key, int64_t n) {
  LedgerRow row;
  row.time_us = time_us;
  row.request_id = "req_" + std::to_string(n);
  row.key = std::move(key);
  row.label = row.key + "'s";
  row.route = "/v1/chat/completions";
  row.model = "m";
  row.finish_reason = "stop";
  row.status = 200;
  row.prompt_tokens = 10 * n;
  row.completion_tokens = n;
  row.cost_pico_dollars = 1000 * n;
  row.ttft_s = 0.25;
  return row;
}

TEST(Ledger, KeepsRowsAndSumsThem) {
  const std::string path = TempPath("ledger");
  constexpr int64_t kDay = 86'400'000'000;
  {
    const auto ledger = Ledger::Open(path).value();
    std::vector<std::future<void>> stored;
    for (int i = 1; i <= 20; ++i) {
      auto done = std::make_shared<std::promise<void>>();
      stored.push_back(done->get_future());
      ledger->Append(Row(i <= 10 ? 1000 + i : kDay + i, i % 2 ? "a" : "b", i), [done] { done->set_value(); });
    }
    for (auto& each : stored) each.wait();
    EXPECT_EQ(ledger->n_errors(), 0u);
    // Another reader sees the rows while the writer still has the file open.
    auto reader = LedgerReader::Open(path).value();
    std::vector<std::string> ids;
    ASSERT_TRUE(reader.ForEach({}, [&](const LedgerRow& row) { ids.push_back(row.request_id); }).ok());
    ASSERT_EQ(ids.size(), 20u);
    EXPECT_EQ(ids.front(), "req_1");
  }
  struct stat found {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  auto reader = LedgerReader::Open(path).value();
  std::vector<LedgerRow> rows;
  ASSERT_TRUE(reader.ForEach({.key = "a", .limit = 2}, [&](const LedgerRow& row) { rows.push_back(row); }).ok());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].request_id, "req_17");
  EXPECT_EQ(rows[1].ttft_s, 0.25);
  EXPECT_EQ(rows[1].label, "a's");
  const auto days = reader.Sums({}, LedgerGroup::kDay).value();
  ASSERT_EQ(days.size(), 2u);
  EXPECT_EQ(days[0].name, "1970-01-01");
  EXPECT_EQ(days[0].completion_tokens, 55);
  EXPECT_EQ(days[1].cost_pico_dollars, 155'000);
  const auto keys = reader.Sums({.since_us = kDay}, LedgerGroup::kKey).value();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].n_requests, 5);
  EXPECT_EQ(keys[1].label, "b's");
  EXPECT_EQ(reader.Sums({.since_us = 2 * kDay}, LedgerGroup::kModel).value().size(), 0u);
}

TEST(Ledger, RefusesWhatIsNone) {
  EXPECT_FALSE(Ledger::Open("/nowhere/ledger").ok());
  EXPECT_FALSE(Ledger::Open(testing::TempDir()).ok());
  EXPECT_FALSE(Ledger::Open("/dev/null").ok());  // whose journal would lie in /dev
  EXPECT_FALSE(FileExists("/dev/null-journal"));
  EXPECT_FALSE(LedgerReader::Open(TempPath("missing")).ok());
  const std::string link = TempPath("link"), nothing = TempPath("nothing");
  std::filesystem::create_symlink(nothing, link);
  const auto opened = Ledger::Open(link);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("a link to something that is not there"), std::string::npos) << opened.error().message;
  EXPECT_FALSE(FileExists(nothing));
  std::filesystem::remove(link);
  const std::string path = TempPath("foreign");
  auto file = AtomicFile::Create(path).value();
  ASSERT_TRUE(file.Append(std::string(8192, 'x')).ok());
  ASSERT_TRUE(file.Commit().ok());
  EXPECT_FALSE(Ledger::Open(path).ok());
  EXPECT_FALSE(LedgerReader::Open(path).ok());
}

TEST(Ledger, ReadsPointsInTime) {
  constexpr int64_t kNow = 1'800'000'000'000'000;
  EXPECT_EQ(ParseSince("2026-11-29", kNow).value(), 1'795'910'400'000'000);
  EXPECT_EQ(ParseSince("2026-11-29T00:00:01Z", kNow).value(), 1'795'910'401'000'000);
  EXPECT_EQ(ParseSince("7d", kNow).value(), kNow - 7LL * 86'400'000'000);
  EXPECT_EQ(ParseSince("30m", kNow).value(), kNow - 1'800'000'000);
  EXPECT_EQ(ParseSince("5", kNow).value(), 5'000'000);
  for (const char* bad : {"", "x", "-1", "7w", "2026-13-01", "2026-11-29x", "99999999999999999999"}) {
    EXPECT_FALSE(ParseSince(bad, kNow).ok()) << bad;
  }
  EXPECT_EQ(TimeText(1'795'910'401'000'042), "2026-11-29T00:00:01.000042Z");
}

TEST(Metrics, HistogramsCountUpToEachBound) {
  constexpr double kBounds[] = {1, 2.5};
  Histogram histogram(kBounds);
  histogram.Observe(1);
  histogram.Observe(2, 3);
  histogram.Observe(9);
  std::string text;
  histogram.Write(text, "x_seconds", "Help.", "a=\"b\"");
  EXPECT_EQ(text,
            "# HELP x_seconds Help.\n# TYPE x_seconds histogram\nx_seconds_bucket{a=\"b\",le=\"1\"} 1\n"
            "x_seconds_bucket{a=\"b\",le=\"2.5\"} 4\nx_seconds_bucket{a=\"b\",le=\"+Inf\"} 5\n"
            "x_seconds_sum{a=\"b\"} 16\nx_seconds_count{a=\"b\"} 5\n");
}

TEST(Books, AgreeWithWhatTheAnswersSay) {
  const std::string path = TempPath("books");
  auto keys = KeyRing::Load(ParseKeys("k label=anna budget=0.000001").value(), "").value();
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/chat/completions";
  request.request_id = "req_\"1";
  request.caller = keys->Find("k");
  request.body = "{}";
  Record record{
      .request = &request, .route = "/v1/chat/completions", .status = 200, .bytes_sent = 5, .seconds = 1.5, .ttft_s = 0.5};
  record.usage = Usage{.model = "m",
                       .prompt_tokens = 7,
                       .cached_tokens = 2,
                       .completion_tokens = 3,
                       .cost_pico_dollars = 600'000,
                       .finish_reason = "length"};
  {
    Bookkeeper books(keys, Ledger::Open(path).value(), nullptr);
    for (int i = 0; i < 2; ++i) {
      books.OnStart(request);
      std::promise<void> stored;
      books.OnUsage(record, [&] { stored.set_value(); });
      stored.get_future().wait();
      books.OnFinish(record);
    }
    const std::string text = books.metrics().Render({.model_name = "m\"x"});
    EXPECT_NE(text.find("vllm:prompt_tokens_total{model_name=\"m\\\"x\"} 14\n"), std::string::npos);
    EXPECT_NE(text.find("vllm:generation_tokens_total{model_name=\"m\\\"x\"} 6\n"), std::string::npos);
    EXPECT_NE(text.find("finished_reason=\"length\"} 2\n"), std::string::npos);
    EXPECT_NE(text.find("lfm_http_requests_total{route=\"/v1/chat/completions\",method=\"POST\",status=\"200\"} 2\n"),
              std::string::npos);
    EXPECT_NE(text.find("lfm_http_requests_running 0\n"), std::string::npos);
    EXPECT_NE(text.find("process_resident_memory_bytes "), std::string::npos);
    EXPECT_TRUE(keys->Admit(*request.caller));
  }
  // A server that starts anew knows from the ledger what was spent.
  const auto again = KeyRing::Load(ParseKeys("k label=anna budget=0.000001").value(), "").value();
  Bookkeeper books(again, Ledger::Open(path).value(), nullptr);
  EXPECT_FALSE(again->Admit(*request.caller));
  ASSERT_TRUE(books.RememberSpending().ok());
  EXPECT_TRUE(again->Admit(*request.caller));

  const std::string line = RequestLine(record, 0, false);
  EXPECT_TRUE(line.starts_with("{\"time\": \"1970-01-01T00:00:00.000000Z\", \"request_id\": \"req_\\\"1\""));
  EXPECT_NE(line.find("\"ttft_ms\": 500.000"), std::string::npos);
  EXPECT_EQ(line.find("\"body\""), std::string::npos);
  EXPECT_TRUE(ParseJson(line).ok());
  // The log may be a terminal.
  HttpRequest foreign = request;
  foreign.body = "{\"a\": \"\xC2\x9B\xE2\x80\xAE\"}";
  record.request = &foreign;
  const std::string shown = RequestLine(record, 0, true);
  EXPECT_EQ(shown.find("\xC2\x9B"), std::string::npos);
  EXPECT_EQ(shown.find("\xE2\x80\xAE"), std::string::npos);
  EXPECT_TRUE(ParseJson(shown).ok());
  record.request = &request;
  EXPECT_NE(RequestLine(record, 0, true).find("\"body\": \"{}\""), std::string::npos);
}

}  // namespace
}  // namespace lfm::server
