// Files of requests: whole runs, resumed ones, and what is refused before any work.
#include "server/batch.h"

#include <unistd.h>

#include "base/file.h"
#include "server/api_support.h"
#include "support/temp_folder.h"

namespace lfm::server {
namespace {

constexpr const char* kIn =
    R"({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "tiny", "messages": [{"role": "user", "content": "Q"}]}})"
    "\n"
    R"({"custom_id": "b", "method": "POST", "url": "/v1/completions", "body": {"model": "nope", "prompt": "Q"}})"
    "\n";

struct Folder {
  Folder() { AddApiRoutes(router, api); }
  Result<BatchSummary> Run(const std::string& in) { return RunBatch(router, in, "in", folder.path() + "/out", {}); }
  std::string Out() const { return ReadWholeFile(folder.path() + "/out").value(); }
  test::TempFolder folder;
  std::shared_ptr<Api> api = TinyApi();
  Router router;
};

TEST(Batch, AnswersEachLineOnce) {
  Folder folder;
  const auto first = folder.Run(kIn);
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->n_answered, 1);
  EXPECT_EQ(first->n_refused, 1);
  const std::string out = folder.Out();
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
  const auto again = folder.Run(kIn);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->n_before, 2);
  EXPECT_EQ(folder.Out(), out);
  EXPECT_EQ(BackendOf(*folder.api).requests.size(), 1u);
}

TEST(Batch, GoesOnBehindALineThatWasCut) {
  Folder folder;
  ASSERT_TRUE(folder.Run(kIn).ok());
  const std::string out = folder.Out();
  const std::string cut = out.substr(0, out.size() - 5);
  std::ofstream(folder.folder.path() + "/out", std::ios::trunc) << cut;
  const auto again = folder.Run(kIn);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->n_before, 1);
  const std::string healed = folder.Out();
  EXPECT_EQ(std::count(healed.begin(), healed.end(), '\n'), 2);
}

TEST(Batch, CutsNothingThatIsNotItsOwn) {
  Folder folder;
  for (const char* foreign : {"my notes", "{\"id\":\"else", "\n"}) {
    std::ofstream(folder.folder.path() + "/out", std::ios::trunc) << foreign;
    EXPECT_FALSE(folder.Run(kIn).ok()) << foreign;
    EXPECT_EQ(folder.Out(), foreign);
  }
  for (const char* ours : {"", "{\"id", "{\"id\":\"batch_req_12"}) {
    std::ofstream(folder.folder.path() + "/out", std::ios::trunc) << ours;
    EXPECT_TRUE(folder.Run(kIn).ok()) << ours;
  }
}

TEST(Batch, WritesToPipes) {
  Folder folder;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto run = RunBatch(folder.router, kIn, "in", "/dev/fd/" + std::to_string(ends[1]), {});  // less than a pipe holds
  ASSERT_TRUE(run.ok()) << run.error().message;
  close(ends[1]);
  std::string out(1 << 16, 'x');
  out.resize(static_cast<size_t>(read(ends[0], out.data(), out.size())));
  close(ends[0]);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
}

TEST(Batch, RefusesBadLinesBeforeAnyWork) {
  Folder folder;
  const char* bad[] = {
      "{\n",
      R"({"method": "POST", "url": "/v1/completions", "body": {}})",
      R"({"custom_id": "a", "method": "GET", "url": "/v1/completions", "body": {}})",
      R"({"custom_id": "a", "method": "POST", "url": "/v1/nope", "body": {}})",
      R"({"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": 5})",
      R"({"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"stream": true}})",
  };
  for (const char* line : bad) {
    const auto result = folder.Run(std::string(kIn) + line);
    ASSERT_FALSE(result.ok()) << line;
    EXPECT_NE(result.error().message.find("line 3"), std::string::npos) << result.error().message;
  }
  EXPECT_FALSE(folder.Run(std::string(kIn) + kIn).ok());
  EXPECT_TRUE(BackendOf(*folder.api).requests.empty());
  std::ofstream(folder.folder.path() + "/out") << kIn;
  EXPECT_FALSE(folder.Run(kIn).ok());
}

}  // namespace
}  // namespace lfm::server
