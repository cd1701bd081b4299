#include "base/path_name.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace lfm {
namespace {

TEST(PathName, IsTheLastPart) {
  for (const char* path : {"x", "./x", "a/x", "/a/x", "x/", "a/x//", "a/x/.", "a/x/../x", "x/./"})
    EXPECT_EQ(NameOfPath(path), "x") << path;
  EXPECT_EQ(NameOfPath("a b\n.gguf"), "a b\n.gguf");
  EXPECT_EQ(NameOfPath(".hidden"), ".hidden");
}

TEST(PathName, OfPathsWithoutOneIsTheFoldersOwn) {
  const std::string here = std::filesystem::canonical(".").filename().string();
  for (const char* path : {".", "./", "./.", "none/.."})
    EXPECT_EQ(NameOfPath(path), std::string(path) == "none/.." ? path : here) << path;
  EXPECT_EQ(NameOfPath(".."), std::filesystem::canonical("..").filename().string());
  EXPECT_EQ(NameOfPath("/"), "/");
  EXPECT_EQ(NameOfPath(""), "");
}

TEST(PathName, Folder) {
  EXPECT_EQ(FolderOfPath("a"), ".");
  EXPECT_EQ(FolderOfPath("/a"), "/");
  EXPECT_EQ(FolderOfPath("a/b"), "a");
  EXPECT_EQ(FolderOfPath("a/b/c.gguf"), "a/b");
  EXPECT_EQ(FolderOfPath(""), ".");
}

}  // namespace
}  // namespace lfm
