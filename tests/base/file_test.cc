// Mapped files, whole files, and files that appear only when they are complete.
#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

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

// What the kernel notes of the mapping that holds `at` (VmFlags in /proc/self/smaps); "" where it tells nothing.
std::string FlagsOfMapping(const void* at) {
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &begin, &end) == 2) {
      here = begin <= reinterpret_cast<uintptr_t>(at) && reinterpret_cast<uintptr_t>(at) < end;
    } else if (here && line.rfind("VmFlags:", 0) == 0) {
      return line + " ";
    }
  }
  return "";
}

TEST(MappedFile, HugePagesAreAskedFor) {
  TempFolder folder;
  const auto file = MappedFile::Open(folder.Write("f", std::string(100000, 'x')));
  ASSERT_TRUE(file.ok());
  const std::string before = FlagsOfMapping(file->bytes().data());
  if (before.empty() || !FileExists("/sys/kernel/mm/transparent_hugepage/enabled")) GTEST_SKIP() << "this kernel has none";
  EXPECT_EQ(before.find(" hg "), std::string::npos) << before;
  file->PreferHugePages();
  EXPECT_HAS(FlagsOfMapping(file->bytes().data()), " hg ");
  EXPECT_EQ(file->bytes()[99999], std::byte{'x'});
  MappedFile::Open(folder.Write("empty", ""))->PreferHugePages();
}

TEST(MappedFile, WhatIsMappedIsNotReplaced) {
  TempFolder folder;
  const std::string path = folder.Write("f", "content");
  ASSERT_EQ(link(path.c_str(), (folder / "same").c_str()), 0);
  {
    const MappedFile file = MappedFile::Open(path).value();
    const MappedFile copy = file, again = MappedFile::Open(path).value();
    for (const char* name : {"f", "same"}) {
      const auto output = AtomicFile::Create(folder / name);
      ASSERT_FALSE(output.ok());
      EXPECT_EQ(output.error().code, ErrorCode::kInvalidArgument);
      EXPECT_HAS(output.error().message, "what is being read");
    }
    EXPECT_TRUE(AtomicFile::Create(folder / "other").ok());
  }
  EXPECT_TRUE(AtomicFile::Create(path).ok());
}

TEST(MappedFile, EmptyMissingAndFolders) {
  TempFolder folder;
  EXPECT_TRUE(MappedFile::Open(folder.Write("empty", ""))->bytes().empty());
  const auto missing = MappedFile::Open(folder / "missing");
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_HAS(missing.error().message, folder / "missing");
  EXPECT_HAS(MappedFile::Open(folder.path()).error().message, "not a regular file");
  EXPECT_FALSE(MappedFile::Open("/dev/null").ok());
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_HAS(MappedFile::Open(pipe).error().message, "not a regular file");  // and does not wait for a writer
  std::filesystem::create_symlink("gone\x1b[31m.gguf", folder / "link");
  const auto broken = MappedFile::Open(folder / "link");
  EXPECT_EQ(broken.error().code, ErrorCode::kNotFound);
  EXPECT_HAS(broken.error().message, "it is a link to gone\\x1b[31m.gguf, which is not there");
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
  TempFolder folder;
  const auto file = AtomicFile::Create("/nonexistent-folder/file");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kIo);  // a model that is not there would be kNotFound
  EXPECT_HAS(file.error().message, "/nonexistent-folder/file");
  EXPECT_HAS(AtomicFile::Create(folder.path()).error().message, "Is a directory");
  EXPECT_FALSE(AtomicFile::Create("").ok());
}

Status WriteText(const std::string& path, const std::string& text) {
  LFM_TRY(AtomicFile file, AtomicFile::Create(path));
  LFM_RETURN_IF_ERROR(file.Append(std::string(text.size(), '?')));
  LFM_RETURN_IF_ERROR(file.WriteAt(0, AsBytes(text)));
  return file.Commit();
}

TEST(AtomicFile, FollowsLinksAndLeavesThem) {
  TempFolder folder;
  std::filesystem::create_directory(folder / "there");
  const std::string file = folder.Write("there/file", "old");
  chmod(file.c_str(), 0600);
  std::filesystem::create_symlink("there/file", folder / "link");
  std::filesystem::create_symlink("link", folder / "second");
  ASSERT_TRUE(WriteText(folder / "second", "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "second"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(test::ReadBinary(file), "new");
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  std::filesystem::create_symlink("nowhere", folder / "broken");
  EXPECT_HAS(WriteText(folder / "broken", "x").error().message, "a link");
  EXPECT_FALSE(FileExists(folder / "nowhere"));
}

TEST(AtomicFile, WritesIntoPipesAndDevices) {
  TempFolder folder;
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] { got = ReadWholeFile(pipe).value(); });
  const std::string text(200000, 'z');
  ASSERT_TRUE(WriteText(pipe, text).ok());
  reader.join();
  EXPECT_EQ(got, text);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));

  std::filesystem::create_symlink("/dev/null", folder / "null");
  auto null = AtomicFile::Create(folder / "null");
  ASSERT_TRUE(null.ok());
  ASSERT_TRUE(null->Append("x").ok());
  auto mapped = null->AppendMapped(5000);
  ASSERT_TRUE(mapped.ok());
  (*mapped)[4999] = std::byte{1};
  ASSERT_TRUE(null->Commit().ok());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_HAS(WriteText("/dev/full", "x").error().message, "No space left");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  const std::string device = folder / "device";  // of one's own, as root has them
  if (mknod(device.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) {
    ASSERT_TRUE(WriteText(device, "x").ok());
    EXPECT_TRUE(std::filesystem::is_character_file(device));
  }
}

TEST(AtomicFile, GoesOnBehindWhatADescriptorHolds) {
  TempFolder folder;
  const std::string path = folder.Write("f", "before ");
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  ASSERT_TRUE(WriteText("/dev/fd/" + std::to_string(fd), "after").ok());
  close(fd);
  EXPECT_EQ(test::ReadBinary(path), "before after");
}

TEST(AtomicFile, NeverTakesAForeignName) {
  TempFolder folder;
  const std::string path = folder / "out", foreign = path + ".partial." + std::to_string(getpid());
  folder.Write("victim", "untouched");
  std::filesystem::create_symlink("victim", foreign);
  ASSERT_TRUE(WriteText(path, "new").ok());
  EXPECT_EQ(test::ReadBinary(path), "new");
  EXPECT_EQ(test::ReadBinary(folder / "victim"), "untouched");
  EXPECT_TRUE(std::filesystem::is_symlink(foreign));
}

TEST(AtomicFile, WhatCameToStandThereMeanwhileStays) {
  TempFolder folder;
  auto file = AtomicFile::Create(folder / "out");
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(mkfifo((folder / "out").c_str(), 0600), 0);
  EXPECT_FALSE(file->Commit().ok());
  EXPECT_TRUE(std::filesystem::is_fifo(folder / "out"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(MoveFile, ReplacesFilesOnly) {
  TempFolder folder;
  const std::string from = folder.Write("from", "new"), to = folder.Write("to", "old");
  std::filesystem::create_symlink("to", folder / "link");
  ASSERT_TRUE(MoveFile(from, folder / "link").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(test::ReadBinary(to), "new");
  EXPECT_FALSE(FileExists(from));
  folder.Write("from", "x");
  ASSERT_TRUE(MoveFile(from, "/dev/null").ok());
  EXPECT_FALSE(FileExists(from));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(NameBeside, IsNobodys) {
  TempFolder folder;
  const std::string first = NameBeside(folder / "out", ".base").value();
  EXPECT_TRUE(first.starts_with(folder / "out.base"));
  std::filesystem::create_symlink("nowhere", first);
  EXPECT_NE(NameBeside(folder / "out", ".base").value(), first);
  EXPECT_FALSE(NameBeside("/dev/null", ".base").value().starts_with("/dev/"));
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
