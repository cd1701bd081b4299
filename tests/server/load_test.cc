// The load client against a server that answers as it is told.
#include "server/load_run.h"

#include "running_server.h"

namespace lfm::server {
namespace {

TEST(LoadUrl, NamesHostPortAndRoot) {
  const auto plain = ParseLoadUrl("http://127.0.0.1:8080").value();
  EXPECT_EQ(plain.host + "|" + plain.port + "|" + plain.root, "127.0.0.1|8080|");
  const auto deep = ParseLoadUrl("http://[::1]:81/some/v1/").value();
  EXPECT_EQ(deep.host + "|" + deep.port + "|" + deep.root, "::1|81|/some");
  EXPECT_EQ(ParseLoadUrl("http://a").value().port, "80");
  for (const char* bad : {"", "a", "https://a", "http://", "http://:80", "http://a:", "http://a:b", "http://a/x y"}) {
    EXPECT_FALSE(ParseLoadUrl(bad).ok()) << bad;
  }
}

// A server that gives as many tokens as max_tokens says; 3 fail.
std::shared_ptr<Router> CompletionRoutes() {
  auto router = std::make_shared<Router>();
  router->Add("GET", "/v1/models", [](const HttpRequest&, const std::shared_ptr<Reply>& reply) {
    reply->Send(200, "application/json", R"({"data": [{"id": "m", "meta": {"n_vocab": 1000}}]})");
  });
  router->Add("POST", "/v1/completions", [](const HttpRequest& request, const std::shared_ptr<Reply>& reply) {
    const Json body = ParseJson(request.body).value();
    const int64_t n = body["max_tokens"].AsInt();
    if (n == 3) return reply->Fail({.status = 429, .message = "no"});
    reply->BeginStream("text/event-stream");
    for (int64_t i = 0; i < n; ++i) reply->Write("data: {\"choices\": [{\"text\": \"x\"}]}\n\n");
    reply->Write("data: {\"choices\": [], \"usage\": {\"prompt_tokens\": " + std::to_string(body["prompt"].items().size()) +
                 ", \"completion_tokens\": " + std::to_string(n) + "}}\n\n");
    reply->End("data: [DONE]\n\n");
  });
  return router;
}

TEST(Load, CountsWhatTheServerSays) {
  RunningServer server;
  server.server->SetReady(CompletionRoutes());
  LoadTarget target = ParseLoadUrl("http://127.0.0.1:" + std::to_string(server.port)).value();
  while (!LoadClient::FindModel(target).ok()) std::this_thread::yield();  // until the routes are there
  EXPECT_EQ(target.model, "m");
  EXPECT_EQ(target.n_vocab, 744);
  const std::atomic<bool> stop{false};
  LoadCase test{.n_clients = 3, .rate = 0, .n_requests = 9, .prompt_tokens = 20, .answer_tokens = 5, .shared_prefix = 10};
  const Json closed = LoadResultJson(RunLoad(target, test, stop).value());
  EXPECT_EQ(closed["completed"].AsInt(), 9);
  EXPECT_EQ(closed["total_input_tokens"].AsInt(), 180);
  EXPECT_EQ(closed["total_output_tokens"].AsInt(), 45);
  EXPECT_GT(closed["output_throughput"].AsDouble(), 0);
  EXPECT_GE(closed["p99_ttft_ms"].AsDouble(), closed["median_ttft_ms"].AsDouble());
  test.rate = 1000;
  EXPECT_EQ(LoadResultJson(RunLoad(target, test, stop).value())["completed"].AsInt(), 9);
  test.answer_tokens = 3;
  const Json failed = LoadResultJson(RunLoad(target, test, stop).value());
  EXPECT_EQ(failed["failed"].AsInt(), 9);
  EXPECT_NE(failed["last_error"].AsString().find("429"), std::string::npos);
}

TEST(Load, AsksAgainWhereTheServerHasClosedAKeptConnection) {
  LoadTarget target;
  auto first = std::make_unique<RunningServer>();
  first->server->SetReady(CompletionRoutes());
  target = ParseLoadUrl("http://127.0.0.1:" + std::to_string(first->port)).value();
  while (!LoadClient::FindModel(target).ok()) std::this_thread::yield();
  LoadClient client(target);
  EXPECT_TRUE(client.Ask({1, 2}, 2).good);
  EXPECT_FALSE(client.Ask({1, 2}, 3).good) << "a refusal with a length keeps the connection";
  EXPECT_EQ(client.Ask({1, 2}, 4).completion_tokens, 4);
  first.reset();
  EXPECT_FALSE(client.Ask({1, 2}, 2).good) << "nobody is there";
  RunningServer second;
  second.server->SetReady(CompletionRoutes());
  target.port = std::to_string(second.port);
  while (!LoadClient::FindModel(target).ok()) std::this_thread::yield();
  EXPECT_TRUE(client.Ask({1, 2}, 2).good);
}

}  // namespace
}  // namespace lfm::server
