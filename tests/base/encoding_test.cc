// Texts in other encodings, and descriptors that others set not to wait.
#include "base/encoding.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/json.h"

namespace lfm {
namespace {

using namespace std::string_literals;

TEST(Encoding, WideTextsAreNamed) {
  for (const auto& [text, name] : std::vector<std::pair<std::string, std::string>>{{"\xFF\xFE{\0}\0"s, "UTF-16,"},
                                                                                   {"\xFE\xFF\0{"s, "UTF-16,"},
                                                                                   {"{\0}\0"s, "UTF-16LE"},
                                                                                   {"\0{\0}"s, "UTF-16BE"},
                                                                                   {"\xFF\xFE\0\0{\0\0\0"s, "UTF-32,"},
                                                                                   {"{\0\0\0"s, "UTF-32LE"},
                                                                                   {"\0\0\0{"s, "UTF-32BE"}}) {
    const Status status = CheckEncoding(text, "a.json");
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_NE(status.error().message.find("a.json is " + name), std::string::npos) << status.error().message;
    const auto json = ParseJson(text);
    ASSERT_FALSE(json.ok());
    EXPECT_NE(json.error().message.find(name), std::string::npos) << json.error().message;
  }
  for (const std::string& text : {""s, "{"s, "{}"s, "\0"s, "\0\0\0\0"s, "a\0bc"s, "\xEF\xBB\xBF{}"s, "\xFF"s}) {
    EXPECT_TRUE(CheckEncoding(text, "a").ok()) << text;
  }
  EXPECT_EQ(WithoutMark("\xEF\xBB\xBF{}"), "{}");
  EXPECT_EQ(WithoutMark("\xEF\xBB"), "\xEF\xBB");
  EXPECT_TRUE(ParseJson("\xEF\xBB\xBF{}").ok());
}

TEST(Descriptor, WaitsWhereTheDescriptorWouldNot) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  const std::string sent(size_t{1} << 20, 'x');  // more than a pipe holds
  std::string got;
  std::thread reader([&] {
    std::vector<std::byte> buffer(70'000);
    while (const ssize_t n = ReadSome(ends[0], buffer)) {
      if (n < 0) break;
      got.append(reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(n));
    }
  });
  for (auto left = std::as_bytes(std::span(sent)); !left.empty();) {
    const ssize_t n = WriteSome(ends[1], left);
    if (n < 0) break;
    left = left.subspan(static_cast<size_t>(n));
  }
  close(ends[1]);
  reader.join();
  close(ends[0]);
  EXPECT_EQ(got, sent);
  EXPECT_LT(ReadSome(ends[0], {}), 0);
}

}  // namespace
}  // namespace lfm
