// Which route a path finds, and what an error looks like.
#include <gtest/gtest.h>

#include "server/http.h"

namespace lfm::server {
namespace {

Router Routes() {
  Router router;
  const auto nothing = [](const HttpRequest&, const std::shared_ptr<Reply>&) {};
  router.Add("GET", "/", nothing);
  router.Add("GET", "/health", nothing, {.open = true});
  router.Add("GET", "/v1/models", nothing);
  router.Add("GET", "/v1/models/{id...}", nothing);
  router.Add("GET", "/v1/responses/{id}", nothing);
  router.Add("DELETE", "/v1/responses/{id}", nothing);
  router.Add("GET", "/v1/responses/{id}/input_items", nothing);
  return router;
}

TEST(Router, FindsPathsWithAndWithoutV1) {
  const Router router = Routes();
  EXPECT_NE(router.Find("GET", "/").route, nullptr);
  EXPECT_TRUE(router.Find("GET", "/health").route->options.open);
  EXPECT_NE(router.Find("GET", "/v1/models").route, nullptr);
  EXPECT_NE(router.Find("GET", "/models").route, nullptr);
  EXPECT_EQ(router.Find("GET", "/v1/health").route, nullptr);
  EXPECT_EQ(router.Find("GET", "/v1").route, nullptr);
  EXPECT_EQ(router.Find("GET", "models").route, nullptr);
  EXPECT_EQ(router.Find("GET", "").route, nullptr);
}

TEST(Router, NamesPartsOfThePath) {
  const Router router = Routes();
  const auto model = router.Find("GET", "/v1/models/liquid/lfm2-8b-a1b");
  ASSERT_NE(model.route, nullptr);
  EXPECT_EQ(model.params, (Headers{{"id", "liquid/lfm2-8b-a1b"}}));
  EXPECT_EQ(router.Find("GET", "/models/a").params, (Headers{{"id", "a"}}));
  EXPECT_EQ(router.Find("GET", "/v1/models/").route, nullptr);
  EXPECT_EQ(router.Find("GET", "/v1/responses/x/input_items").route->segments.size(), 4u);
  EXPECT_EQ(router.Find("GET", "/v1/responses/x/y").route, nullptr);
}

TEST(Router, ListsTheMethodsOfAPath) {
  const Router router = Routes();
  const auto match = router.Find("PATCH", "/v1/responses/x");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allow, "GET, HEAD, DELETE");
  EXPECT_EQ(router.Find("POST", "/models").allow, "GET, HEAD");
  EXPECT_EQ(router.Find("POST", "/nowhere").allow, "");
}

TEST(ErrorBody, HasBothShapes) {
  ApiError error{.status = 400, .message = "no \"x\"", .param = "messages[1].content", .code = "invalid_value"};
  EXPECT_EQ(ErrorBody(error, false),
            R"({"error": {"message": "no \"x\"", "type": "invalid_request_error", "param": "messages[1].content", )"
            R"("code": "invalid_value"}})");
  error.status = 413;
  EXPECT_EQ(ErrorBody(error, true), R"({"type": "error", "error": {"type": "request_too_large", "message": "no \"x\""}})");
  const ApiError plain{.status = 404, .message = "m", .extra = Json::MakeObject({{"n_ctx", Json(7)}})};
  EXPECT_EQ(ErrorBody(plain, false),
            R"({"error": {"message": "m", "type": "not_found_error", "param": null, "code": null, "n_ctx": 7}})");
}

}  // namespace
}  // namespace lfm::server
