// What the hub's tests share: a fresh folder as cache, options with short times, and looks at what a pull
// left.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "hub/fault_server.h"
#include "hub/pull.h"

namespace lfm::hub::test {

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteText(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    // In memory where that is possible: the many flushes to disk would only measure how busy the disk is.
    std::string pattern = "/dev/shm/lfm-hub-XXXXXX";
    if (std::getenv("TMPDIR") || !mkdtemp(pattern.data())) {
      pattern = (std::filesystem::temp_directory_path() / "lfm-hub-XXXXXX").string();
      if (!mkdtemp(pattern.data())) std::abort();
    }
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Result<Pulled> Pull(std::string_view text, const PullOptions& options) {
  LFM_TRY(const PullPlan plan, PlanPull(text, options));
  return RunPull(plan, options);
}

inline PullOptions FastOptions(const std::string& endpoint, const std::string& folder) {
  PullOptions options;
  options.environment.endpoint = endpoint;
  options.environment.cache = folder + "/hub";
  options.environment.files = folder + "/files";
  options.download.retry.first_delay_s = 0.002;
  options.download.retry.max_delay_s = 0.02;
  options.download.retry.max_retry_after_s = 2;
  options.download.http.stall_timeout_s = 60;  // a busy machine is no stall; tests of stalls have less patience
  options.download.part_bytes = size_t{64} << 10;
  options.download.min_parallel_bytes = size_t{128} << 10;
  options.download.save_interval_s = 0.05;
  options.free_memory = uint64_t{64} << 30;
  return options;
}

// Every file and link below a folder, relative, whose name contains `part`.
inline std::vector<std::string> FilesWith(const std::string& folder, const std::string& part) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = std::filesystem::relative(it->path().parent_path(), folder) / it->path().filename();
    if (!it->is_directory() && path.find(part) != std::string::npos) found.push_back(path);
  }
  return found;
}

inline constexpr char kRepo[] = "LiquidAI/LFM2-Test-GGUF";
inline constexpr char kGguf[] = "LFM2-Test-Q4_K_M.gguf";

// A hub with one GGUF repository and one folder repository, and a cache.
class HubTest : public ::testing::Test {
 protected:
  HubTest() {
    hub_.repos[kRepo] = {{kGguf, {RandomBytes(700001, 1)}},
                         {"LFM2-Test-Q8_0.gguf", {RandomBytes(900001, 2)}},
                         {"README.md", {"# A model\n", false}}};
    hub_.repos["LiquidAI/LFM2-Test"] = {{"config.json", {"{\"model_type\": \"lfm2\"}", false}},
                                        {"tokenizer.json", {RandomBytes(5000, 3)}},
                                        {"model-00001-of-00002.safetensors", {RandomBytes(300000, 4)}},
                                        {"model-00002-of-00002.safetensors", {RandomBytes(200000, 5)}},
                                        {"model.safetensors.index.json",
                                         {"{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\", "
                                          "\"b\": \"model-00002-of-00002.safetensors\"}}",
                                          false}},
                                        {"onnx/model.onnx", {RandomBytes(1000, 6)}},
                                        {"README.md", {"# A model\n", false}}};
    options_ = FastOptions(hub_.endpoint(), folder_.path());
    options_.download.on_message = [this](std::string_view text) { messages_ += std::string(text) + "\n"; };
  }

  const std::string& Content(const std::string& path = kGguf, const std::string& repo = kRepo) {
    return hub_.repos[repo][path].content;
  }
  RepoFolders Folders(const std::string& repo = kRepo) const { return FoldersOf(options_.environment, repo); }

  TemporaryFolder folder_;
  FakeHub hub_;
  PullOptions options_;
  std::string messages_;
};

inline const std::string kQ4 = std::string(kRepo) + ":Q4_K_M";

}  // namespace lfm::hub::test
