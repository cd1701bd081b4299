// The server from outside, over real sockets on loopback: answers, streams, pipelines, refusals, departures, draining.
#include <filesystem>

#include "base/file.h"
#include "running_server.h"
#include "server/request_reader.h"

namespace lfm::server {
namespace {

TEST(Transport, AnswersAndKeepsTheConnection) {
  RunningServer server;
  RawClient client(server.port);
  client.Send(Get("/health"));
  const std::string first = client.Read("ok\"}");
  EXPECT_EQ(StatusOf(first), 200) << first;
  EXPECT_NE(first.find("x-request-id: req_"), std::string::npos);
  EXPECT_NE(first.find("Content-Length: 16\r\n"), std::string::npos);
  client.Send(Post("/echo", "[1]", "X-Request-Id: my-id.1\r\n"));
  const std::string second = client.Read("[1]");
  EXPECT_NE(second.find("x-request-id: my-id.1\r\n"), std::string::npos) << second;
  client.Send(Get("/v1/who/a/b%20c?q=x+y", "Connection: close\r\n"));
  const std::string third = client.Read();
  EXPECT_NE(third.find("a/b c||x y"), std::string::npos);
  EXPECT_NE(third.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client.closed());
}

TEST(Transport, PipelinesInOrder) {
  RunningServer server;
  RawClient client(server.port);
  std::string all;
  for (int i = 0; i < 50; ++i) all += Post("/echo", "[" + std::to_string(i) + "]") + Get("/v1/who/" + std::to_string(i));
  client.Send(all + Get("/health", "Connection: close\r\n"));
  const std::string answer = client.Read();
  EXPECT_EQ(CountOf(answer, "HTTP/1.1 200 OK"), 101);
  size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answer.find("[" + std::to_string(i) + "]", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST(Transport, TakesARequestByteByByte) {
  RunningServer server;
  RawClient client(server.port);
  for (const char c : Post("/echo", "{\"a\": 1}")) client.Send(std::string(1, c));
  EXPECT_NE(client.Read("1}").find("{\"a\": 1}"), std::string::npos);
  client.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char c : std::string("3\r\n[1,\r\n4;x=y\r\n 23]\r\n0\r\nTrailer: x\r\n\r\n")) client.Send(std::string(1, c));
  EXPECT_NE(client.Read("23]").find("\r\n\r\n[1, 23]"), std::string::npos);
}

TEST(Transport, HeadHasNoBody) {
  RunningServer server;
  RawClient client(server.port);
  client.Send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n" + Get("/health"));
  const std::string answer = client.Read("ok\"}");
  EXPECT_EQ(CountOf(answer, "Content-Length: 16\r\n"), 2);
  EXPECT_EQ(CountOf(answer, "\"ok\""), 1);
}

TEST(Transport, Http10ClosesUnlessAsked) {
  RunningServer server;
  RawClient closing(server.port);
  closing.Send("GET /health HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(closing.Read().starts_with("HTTP/1.0 200 OK"));
  EXPECT_TRUE(closing.closed());
  RawClient kept(server.port);
  kept.Send("GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  EXPECT_NE(kept.Read("ok\"}").find("Connection: keep-alive"), std::string::npos);
  kept.Send(
      "POST /v1/stream HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}");
  const std::string stream = kept.Read();
  EXPECT_EQ(stream.find("Transfer-Encoding"), std::string::npos);
  EXPECT_TRUE(stream.ends_with("data: 2\n\ndata: [DONE]\n\n"));
}

TEST(Transport, StreamsInChunks) {
  RunningServer server;
  RawClient client(server.port);
  client.Send(Post("/v1/stream", "{}"));
  const std::string answer = client.Read("0\r\n\r\n");
  EXPECT_NE(answer.find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_NE(answer.find("X-Accel-Buffering: no"), std::string::npos);
  EXPECT_NE(answer.find("9\r\ndata: 0\n\n\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"));
  EXPECT_EQ(server.recorder.tokens, 3);
}

TEST(Transport, ASilentStreamIsKeptAlive) {
  ServerOptions options;
  options.timeouts.silent = 0.1;
  RunningServer server(options);
  RawClient client(server.port);
  client.Send(Post("/v1/wait", "{}"));
  const auto reply = server.NextWaiting();
  ASSERT_NE(reply, nullptr);
  reply->BeginStream("text/event-stream");
  EXPECT_NE(client.Read(": keep-alive\n\n\r\n").find("\r\ne\r\n: keep-alive\n\n\r\n"), std::string::npos);
  reply->Write("data: 1\n\n");
  EXPECT_NE(client.Read("data: 1\n\n").find("data: 1\n\n"), std::string::npos);
  EXPECT_NE(client.Read(": keep-alive\n\n\r\n").find("e\r\n: keep-alive\n\n\r\n"), std::string::npos) << "again";
  reply->End("data: [DONE]\n\n");
  EXPECT_TRUE(client.Read("0\r\n\r\n").ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));

  // Nothing is put into an answer that is not begun, or is no stream of events.
  RawClient other(server.port);
  other.Send(Post("/v1/wait", "{}"));
  const auto plain = server.NextWaiting();
  ASSERT_NE(plain, nullptr);
  EXPECT_EQ(other.Read("x", 600), "");
  plain->BeginStream("text/plain");
  other.Read("\r\n\r\n");
  EXPECT_EQ(other.Read("x", 600), "");
  plain->End("end");
  EXPECT_EQ(other.Read("0\r\n\r\n"), "3\r\nend\r\n0\r\n\r\n");
}

TEST(Transport, HoldsTheEndUntilTheLedgerHasTheRow) {
  RunningServer server;
  server.recorder.hold_usage = true;
  RawClient client(server.port);
  client.Send(Post("/v1/stream", "{}"));
  ASSERT_TRUE(server.recorder.WaitFor([&] { return !server.recorder.held.empty(); }));
  const std::string early = client.Read("data: 2");
  EXPECT_EQ(early.find("[DONE]"), std::string::npos);
  server.recorder.held[0]();
  EXPECT_NE(client.Read("0\r\n\r\n").find("[DONE]"), std::string::npos);
}

TEST(Transport, ContinuesOnlyWhatItWants) {
  ServerOptions options;
  options.limits.max_body = 100;
  RunningServer server(options);
  const std::string head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
  RawClient good(server.port);
  good.Send(head + "Content-Length: 3\r\n\r\n");
  EXPECT_EQ(good.Read("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  good.Send("[1]");
  EXPECT_EQ(StatusOf(good.Read("[1]")), 200);
  RawClient big(server.port);
  big.Send(head + "Content-Length: 101\r\n\r\n");
  EXPECT_EQ(StatusOf(big.Read("}}")), 413);
  RawClient chunked(server.port);
  chunked.Send(head + "Transfer-Encoding: chunked\r\n\r\n80\r\n" + std::string(0x80, ' '));
  EXPECT_EQ(StatusOf(chunked.Read("}}")), 413);
  EXPECT_EQ(StatusOf(server.Ask("GET /health HTTP/1.1\r\nHost: localhost\r\nExpect: cake\r\n\r\n")), 417);
}

TEST(Transport, TheAnswerToATooLargeBodyArrivesWhileItIsStillSent) {
  ServerOptions options;
  options.limits.max_body = 1000;
  RunningServer server(options);
  RawClient client(server.port);
  ASSERT_TRUE(client.Send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 30000000\r\n\r\n"));
  const std::string piece(1 << 20, ' ');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.Send(piece)) << i;
  EXPECT_EQ(StatusOf(client.Read("}}")), 413);
}

TEST(Transport, RefusalsAreJsonAndKeepTheConnectionWhereItIsSafe) {
  RunningServer server;
  RawClient client(server.port);
  client.Send(Post("/v1/nope", "{\"x\": 1}") + Get("/v1/echo") + Post("/v1/messages", "{}") + Post("/v1/drop", "{}") +
              Post("/v1/throw", "{}") +
              "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
              "Content-Length: 2\r\n\r\n{}"
              "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: "
              "close\r\n\r\n{}");
  const std::string all = client.Read();
  EXPECT_EQ(CountOf(all, "HTTP/1.1 404 Not Found"), 1);
  EXPECT_EQ(CountOf(all, "HTTP/1.1 405 Method Not Allowed"), 1);
  EXPECT_EQ(CountOf(all, "Allow: POST\r\n"), 1);
  EXPECT_EQ(CountOf(all, R"({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}})"), 1);
  EXPECT_EQ(CountOf(all, "HTTP/1.1 500 Internal Server Error"), 2);
  EXPECT_EQ(CountOf(all, "HTTP/1.1 415 Unsupported Media Type"), 2);
  EXPECT_EQ(CountOf(all, "the Content-Encoding is 'gzip'"), 1);
  EXPECT_EQ(CountOf(all, "x-request-id: "), 7);
  EXPECT_EQ(CountOf(all, "Content-Type: application/json"), 7);
}

TEST(Transport, MalformedRequestsAreRefusedAndClosed) {
  RunningServer server;
  const std::string host = "Host: localhost\r\n";
  const std::string json = "Content-Type: application/json\r\n";
  for (const std::string& bad : std::vector<std::string>{
           "POST /echo HTTP/1.1\r\n" + host + json + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + json + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n[1]",
           "POST /echo HTTP/1.1\r\n" + host + json + "Content-Length: 3, 3\r\n\r\n[1]",
           "POST /echo HTTP/1.1\r\n" + host + json + "Content-Length: +3\r\n\r\n[1]",
           "POST /echo HTTP/1.1\r\n" + host + json + "Content-Length: -3\r\n\r\n[1]",
           "POST /echo HTTP/1.1\r\n" + host + json + "Content-Length: 0x3\r\n\r\n[1]",
           "POST /echo HTTP/1.1\r\n" + host + json + "Content-Length: 99999999999999999999\r\n\r\n[1]",
           "POST /echo HTTP/1.1\r\n" + host + json + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + json + "Transfer-Encoding: identity\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + json + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + json + "Transfer-Encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + json + "Transfer-Encoding: chunked\r\n\r\n2\r\n[1]\r\n0\r\n\r\n",
           "POST /echo HTTP/1.0\r\n" + host + json + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "GET /health HTTP/1.1\n" + host + "\r\n",
           "GET /health HTTP/1.1\r\nHost: localhost\n\r\n",
           "GET /health HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n",
           "GET /health HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n",
           "GET /health HTTP/1.1\r\n" + host + "X : a\r\n\r\n",
           "GET /health HTTP/1.1\r\n" + host + "X\r\n\r\n",
           "GET /health HTTP/1.1\r\n" + host + host + "\r\n",
           "GET /health HTTP/1.1\r\n\r\n",
           "GET /health HTTP/2.0\r\n" + host + "\r\n",
           "GET health HTTP/1.1\r\n" + host + "\r\n",
           "GET http://localhost/health HTTP/1.1\r\n" + host + "\r\n",
           "GET /he%00alth HTTP/1.1\r\n" + host + "\r\n",
           "GET /%ff HTTP/1.1\r\n" + host + "\r\n",
           "GET /health%2 HTTP/1.1\r\n" + host + "\r\n",
           "GET /health  HTTP/1.1\r\n" + host + "\r\n",
           std::string("GET /health HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n", 47),
           "\x16\x03\x01\x02\r\n\r\n",
           "\r\n\r\n\r\nGET /health HTTP/1.1\r\n" + host + "\r\n"}) {
    RawClient client(server.port);
    client.Send(bad);
    const std::string answer = client.Read();
    EXPECT_EQ(StatusOf(answer), 400) << bad << "\n" << answer;
    EXPECT_TRUE(client.closed()) << bad;
    EXPECT_EQ(CountOf(answer, "x-request-id: "), 1) << bad;
  }
  EXPECT_EQ(StatusOf(server.Ask(Get("/health"))), 200);
}

TEST(Transport, LimitsTheHead) {
  RunningServer server;
  EXPECT_EQ(StatusOf(server.Ask(Get("/" + std::string(9000, 'a')))), 414);
  EXPECT_EQ(StatusOf(server.Ask(Get("/health", "X: " + std::string(40000, 'a') + "\r\n"))), 431);
  std::string many;
  for (int i = 0; i < 101; ++i) many += "X: y\r\n";
  EXPECT_EQ(StatusOf(server.Ask(Get("/health", many))), 431);
  RawClient chunks(server.port);
  chunks.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
              std::string(70000, 'a'));
  EXPECT_EQ(StatusOf(chunks.Read("}}")), 431);
}

TEST(Transport, OneEmptyLineMayComeFirstHoweverItIsCut) {
  for (const size_t step : {1, 2, 100}) {
    for (const std::string empty : {"", "\r\n", "\r\n\r\n"}) {
      RequestReader reader({});
      std::string bytes = empty + Get("/health"), input;
      while (!bytes.empty() && reader.state() == RequestReader::State::kHead) {
        input += bytes.substr(0, step);
        bytes.erase(0, step);
        input.erase(0, reader.Feed(input));
      }
      EXPECT_EQ(reader.state(), empty.size() < 4 ? RequestReader::State::kDone : RequestReader::State::kFailed);
    }
  }
}

TEST(Transport, TellsTheHandlerThatTheClientLeft) {
  RunningServer server;
  RawClient client(server.port);
  client.Send(Post("/v1/wait", "{}"));
  const auto reply = server.NextWaiting();
  ASSERT_NE(reply, nullptr);
  EXPECT_FALSE(reply->closed());
  client.Close();
  EXPECT_TRUE(server.recorder.WaitFor([&] { return server.n_gone == 1; }));
  EXPECT_TRUE(reply->closed());
  EXPECT_FALSE(reply->Write("x"));
  reply->SetUsage({.model = "m", .completion_tokens = 7});
  reply->Send(200, "text/plain", "too late");
  EXPECT_TRUE(server.recorder.WaitFor([&] { return server.recorder.statuses == std::vector<int>{499}; }));
  EXPECT_EQ(server.recorder.tokens, 7);
}

TEST(Transport, CutsOffAReaderThatDoesNotRead) {
  ServerOptions options;
  options.max_buffered = 64 << 10;
  RunningServer server(options);
  RawClient client(server.port);
  client.Send(Post("/v1/wait", "{}"));
  const auto reply = server.NextWaiting();
  ASSERT_NE(reply, nullptr);
  reply->BeginStream("text/event-stream");
  const std::string piece(16 << 10, 'x');
  int n = 0;
  while (reply->Write(piece) && n < 10000) {  // slowly: the kernel's buffers fill first, and a write hangs
    ++n;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_LT(n, 10000);
  EXPECT_TRUE(server.recorder.WaitFor([&] { return server.n_gone == 1; }));
  reply->End();
  EXPECT_TRUE(server.recorder.WaitFor([&] { return !server.recorder.statuses.empty(); }));
}

TEST(Transport, SlowAndSilentClientsAreClosedWhileOthersAreServed) {
  ServerOptions options;
  options.timeouts.head = options.timeouts.body = 0.5;
  RunningServer server(options);
  RawClient head(server.port), body(server.port);
  head.Send("GET /health HTTP/1.1\r\nHo");
  body.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[");
  EXPECT_EQ(StatusOf(server.Ask(Get("/health"))), 200);
  EXPECT_EQ(StatusOf(head.Read()), 408);
  EXPECT_EQ(StatusOf(body.Read()), 408);
  options.timeouts.idle = 0.5;
  RunningServer impatient(options);
  RawClient silent(impatient.port);
  EXPECT_EQ(silent.Read(), "");
  EXPECT_TRUE(silent.closed());
}

// What a client sends while the server stands still is not late: here its own thread is held, elsewhere the machine sleeps.
TEST(Transport, TimeInWhichTheServerStoodStillIsNoDelayOfTheClients) {
  ServerOptions options;
  options.timeouts.body = 0.4;
  options.timeouts.body_bytes_per_s = 1e12;
  RunningServer server(options);
  const std::string body = "[" + std::string(60'000, ' ') + "]";
  int status = 0;
  // A machine so busy that this thread rests between its lines may let a try be late in earnest.
  for (int i = 0; i < 20 && status != 200; ++i) {
    RawClient sender(server.port), holder(server.port);
    const std::string whole = Post("/echo", body);
    sender.Send(whole.substr(0, whole.size() - body.size() + 10));  // read, and the rest is waited for
    EXPECT_EQ(StatusOf(server.Ask(Get("/health"))), 200);
    holder.Send(Post("/v1/hold", "{}"));
    server.is_holding.wait(false);
    sender.Send(whole.substr(whole.size() - body.size() + 10));
    std::this_thread::sleep_for(std::chrono::milliseconds(900));
    server.is_holding = false;
    server.is_holding.notify_all();
    status = StatusOf(sender.Read("]"));
  }
  EXPECT_EQ(status, 200);
}

TEST(Transport, TheLimitOfConnectionsEvictsTheIdle) {
  ServerOptions options;
  options.max_connections = 4;
  RunningServer server(options);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(std::make_unique<RawClient>(server.port));
  EXPECT_EQ(StatusOf(server.Ask(Get("/health"))), 200);
}

TEST(Transport, LoadingAnswers503AndHealthIsAlwaysThere) {
  RunningServer server({}, {}, false);
  const std::string answer = server.Ask(Post("/v1/echo", "{}"));
  EXPECT_EQ(StatusOf(answer), 503);
  EXPECT_NE(answer.find("Retry-After: 1"), std::string::npos);
  EXPECT_NE(answer.find("\"code\": \"model_loading\""), std::string::npos);
  EXPECT_EQ(StatusOf(server.Ask(Get("/health"))), 200);
}

TEST(Transport, DrainingFinishesWhatRunsAndRefusesWhatIsNew) {
  ServerOptions options;
  options.timeouts.drain = 600;
  RunningServer server(options);
  RawClient idle(server.port), running(server.port);
  idle.Send(Get("/health"));
  idle.Read("ok\"}");
  running.Send(Post("/v1/wait", "{}"));
  const auto reply = server.NextWaiting();
  ASSERT_NE(reply, nullptr);
  reply->BeginStream("text/event-stream");
  server.server->Drain();
  EXPECT_EQ(idle.Read(), "");
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(StatusOf(server.Ask(Post("/v1/echo", "{}"))), 503);
  reply->Write("data: 1\n\n");
  reply->End("data: [DONE]\n\n");
  EXPECT_NE(running.Read().find("[DONE]"), std::string::npos);
  EXPECT_TRUE(running.closed());
}

TEST(Transport, TheDrainTimeEndsStreamsWithAnError) {
  ServerOptions options;
  options.timeouts.drain = 0.1;
  RunningServer server(options);
  RawClient streaming(server.port), waiting(server.port);
  streaming.Send(Post("/v1/wait", "{}"));
  auto first = server.NextWaiting();
  ASSERT_NE(first, nullptr);
  first->BeginStream("text/event-stream");
  waiting.Send(Post("/v1/wait", "{}"));
  auto second = server.NextWaiting();
  ASSERT_NE(second, nullptr);
  server.server->Drain();
  const std::string cut = streaming.Read();
  EXPECT_NE(cut.find("shutting_down"), std::string::npos);
  EXPECT_TRUE(cut.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
  EXPECT_EQ(StatusOf(waiting.Read()), 503);
  EXPECT_TRUE(server.recorder.WaitFor([&] { return server.n_gone == 2; }));
  first.reset();
  second.reset();
  server.server->Wait();
}

TEST(Transport, UnixSocketsAreReplacedAndRemoved) {
  const std::string path = testing::TempDir() + "/lfm_transport_" + std::to_string(getpid()) + ".sock";
  {
    RunningServer server({.addresses = {"unix:" + path}});
    ASSERT_EQ(server.error, "");
    EXPECT_EQ(std::filesystem::status(path).permissions() & std::filesystem::perms::all, std::filesystem::perms(0660));
    RawClient client(path);
    client.Send("GET /health HTTP/1.1\r\nHost: whatever\r\n\r\n");
    EXPECT_EQ(StatusOf(client.Read("ok\"}")), 200);
    RunningServer other({.addresses = {"unix:" + path}});
    EXPECT_NE(other.error.find("in use"), std::string::npos);
  }
  EXPECT_FALSE(FileExists(path));
  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(stale, static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address), 0);
  close(stale);
  RunningServer server({.addresses = {"unix:" + path}});
  EXPECT_EQ(server.error, "");
}

TEST(Transport, RefusesAddressesThatItCannotUse) {
  RunningServer first;
  RunningServer second({.addresses = {"127.0.0.1:" + std::to_string(first.port)}});
  EXPECT_NE(second.error.find(std::to_string(first.port)), std::string::npos);
  EXPECT_NE(second.error.find("in use"), std::string::npos);
  for (const std::string bad : {"", "localhost", "localhost:", "localhost:70000", "localhost:-1", ":80", "unix:"}) {
    EXPECT_NE(RunningServer({.addresses = {bad}}).error, "") << bad;
  }
  EXPECT_NE(RunningServer({.addresses = {"0.0.0.0:0"}}).error.find("--no-auth"), std::string::npos);
  ServerOptions open{.addresses = {"0.0.0.0:0"}};
  open.no_auth = true;
  EXPECT_EQ(RunningServer(open).error, "");
}

}  // namespace
}  // namespace lfm::server
