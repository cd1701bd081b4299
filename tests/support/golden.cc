#include "support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace lfm::test {
namespace fs = std::filesystem;

std::vector<std::string> GoldenRoots() {
  std::vector<std::string> roots{LFM_TEST_DATA};
  const char* chosen = std::getenv("LFM_GOLDEN");
  const std::string beside = LFM_TEST_DATA "/../../../shared/data/golden";
  if (chosen && *chosen) {
    roots.emplace_back(chosen);
  } else if (fs::is_directory(beside)) {
    roots.push_back(fs::canonical(beside).string());
  }
  return roots;
}

std::vector<std::string> GoldenPaths(const std::string& relative) {
  std::vector<std::string> paths;
  for (const std::string& root : GoldenRoots()) {
    if (fs::exists(root + "/" + relative)) paths.push_back(root + "/" + relative);
  }
  return paths;
}

std::vector<std::string> GoldenEntries(const std::string& folder, const std::string& suffix) {
  std::vector<std::string> entries;
  std::set<std::string> seen;
  for (const std::string& path : GoldenPaths(folder)) {
    std::vector<std::string> here;
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename().string();
      const bool wanted = suffix.empty() ? entry.is_directory() : name.ends_with(suffix);
      if (wanted && seen.insert(name).second) here.push_back(entry.path().string());
    }
    std::sort(here.begin(), here.end());
    entries.insert(entries.end(), here.begin(), here.end());
  }
  return entries;
}

std::vector<std::string> ReadLines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Npy ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Npy npy;
  if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0) {
    ADD_FAILURE() << path << " is no .npy file";
    return npy;
  }
  const bool v1 = bytes[6] == 1;
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
  const size_t length = v1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  const size_t start = (v1 ? 10 : 12) + length;
  const std::string header = bytes.substr(v1 ? 10 : 12, length);
  EXPECT_NE(header.find("'<f4'"), std::string::npos) << path;
  EXPECT_NE(header.find("'fortran_order': False"), std::string::npos) << path;
  size_t at = header.find("'shape': (") + 10;
  while (at < header.size() && header[at] != ')') {
    size_t used = 0;
    npy.shape.push_back(std::stoll(header.substr(at), &used));
    at += used;
    while (at < header.size() && (header[at] == ',' || header[at] == ' ')) ++at;
  }
  npy.values.resize((bytes.size() - start) / 4);
  std::memcpy(npy.values.data(), bytes.data() + start, npy.values.size() * 4);
  return npy;
}

}  // namespace lfm::test
