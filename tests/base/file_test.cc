// Mapped files, whole files, and files that appear only when they are complete.
#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "support/temp_folder.h"

namespace lfm {
namespace {

using test::AsBytes;
using test::TempFolder;

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(MappedFile, MapsAndMoves) {
  TempFolder folder;
  const std::string content(100000, 'x');
  const std::string path = folder.Write("f", content);
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok());
  MappedFile moved = std::move(file).value();
  EXPECT_EQ(moved.bytes().size(), content.size());
  EXPECT_EQ(std::memcmp(moved.bytes().data(), content.data(), content.size()), 0);
  EXPECT_EQ(moved.path(), path);
  moved.WillNeed(moved.bytes());
  moved.Release(moved.bytes().subspan(1, 50000));
  EXPECT_EQ(moved.bytes()[20000], std::byte{'x'});  // read again from the file
  MappedFile other;
  other = std::move(moved);
  EXPECT_EQ(other.bytes().size(), content.size());
}

TEST(MappedFile, EmptyMissingAndFolders) {
  TempFolder folder;
  EXPECT_TRUE(MappedFile::Open(folder.Write("empty", ""))->bytes().empty());
  const auto missing = MappedFile::Open(folder / "missing");
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_HAS(missing.error().message, folder / "missing");
  EXPECT_HAS(MappedFile::Open(folder.path()).error().message, "not a regular file");
  EXPECT_FALSE(MappedFile::Open("/dev/null").ok());
}

TEST(ReadWholeFile, ReadsUpToALimit) {
  TempFolder folder;
  const std::string content(70000, 'y');
  const std::string path = folder.Write("f", content);
  EXPECT_EQ(*ReadWholeFile(path), content);
  EXPECT_EQ(*ReadWholeFile(path, 70000), content);
  EXPECT_EQ(ReadWholeFile(path, 69999).error().code, ErrorCode::kLimit);
  EXPECT_EQ(ReadWholeFile(folder / "none").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(ReadWholeFile(folder.path()).ok());
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  TempFolder folder;
  const std::string path = folder / "out";
  {
    auto file = AtomicFile::Create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Append("head").ok());
    EXPECT_FALSE(FileExists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));

  folder.Write("out", "the old file");
  auto file = AtomicFile::Create(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->Append("xxxx-body").ok());
  ASSERT_TRUE(file->Pad(16).ok());
  EXPECT_EQ(file->size(), 16u);
  ASSERT_TRUE(file->Pad(16).ok());
  EXPECT_EQ(file->size(), 16u);
  ASSERT_TRUE(file->WriteAt(0, AsBytes("head")).ok());
  ASSERT_TRUE(file->Append("!").ok());
  EXPECT_EQ(test::ReadBinary(path), "the old file");
  AtomicFile moved = std::move(file).value();
  ASSERT_TRUE(moved.Commit().ok());
  EXPECT_EQ(test::ReadBinary(path), std::string("head-body\0\0\0\0\0\0\0!", 17));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicFile, KilledWriterLeavesNothing) {
  TempFolder folder;
  const int probe = open(folder.path().c_str(), O_TMPFILE | O_RDWR, 0600);
  const bool nameless = probe >= 0;  // else the file system has no files without a name, and the temporary one stays
  if (nameless) close(probe);
  const pid_t child = fork();
  if (child == 0) {
    auto file = AtomicFile::Create(folder / "out");
    if (file.ok() && file->Append("half of it").ok()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(FileExists(folder / "out"));
  EXPECT_EQ(std::filesystem::is_empty(folder.path()), nameless);
}

TEST(AtomicFile, SaysWhereItCannotWrite) {
  const auto file = AtomicFile::Create("/nonexistent-folder/file");
  ASSERT_FALSE(file.ok());
  EXPECT_HAS(file.error().message, "/nonexistent-folder/file");
}

TEST(Files, Kinds) {
  TempFolder folder;
  const std::string path = folder.Write("f", "");
  EXPECT_TRUE(FileExists(path));
  EXPECT_TRUE(FileExists(folder.path()));
  EXPECT_FALSE(FileExists(folder / "g"));
  EXPECT_TRUE(IsDirectory(folder.path()));
  EXPECT_FALSE(IsDirectory(path));
}

}  // namespace
}  // namespace lfm
