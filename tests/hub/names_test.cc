// Names, addresses, types, the default type, and the environment.
#include <gtest/gtest.h>

#include <map>

#include "hub/choose.h"
#include "hub/environment.h"
#include "hub/hub_fixture.h"
#include "hub/names.h"
#include "hub/url.h"

namespace lfm::hub {
namespace {

using Kind = ModelName::Kind;

ModelName Parse(const std::string& text) {
  const auto name = ParseModelName(text);
  EXPECT_TRUE(name.ok()) << text << ": " << name.error().message;
  return name.ok() ? name.value() : ModelName();
}

TEST(Names, Repositories) {
  const struct {
    const char *text, *repo, *type, *revision, *file;
  } kCases[] = {
      {"LiquidAI/LFM2-8B-A1B-GGUF", "LiquidAI/LFM2-8B-A1B-GGUF", "", "main", ""},
      {"LiquidAI/LFM2-8B-A1B-GGUF:q4_k_m", "LiquidAI/LFM2-8B-A1B-GGUF", "Q4_K_M", "main", ""},
      {"a/b@v1.0", "a/b", "", "v1.0", ""},
      {"a/b:Q8_0@refs/pr/3", "a/b", "Q8_0", "refs/pr/3", ""},
      {"a/b@v1:Q8_0", "a/b", "Q8_0", "v1", ""},
      {"a/b/sub/x-Q4_0.gguf", "a/b", "", "main", "sub/x-Q4_0.gguf"},
      {"lfm2-8b-a1b", "LiquidAI/LFM2-8B-A1B-GGUF", "", "main", ""},
      {"LFM2.5-8B-A1B:Q6_K", "LiquidAI/LFM2.5-8B-A1B-GGUF", "Q6_K", "main", ""},
      {"lfm2.5-1.2b-instruct", "LiquidAI/LFM2.5-1.2B-Instruct-GGUF", "", "main", ""},
      {"hf.co/a/b:Q4_0", "a/b", "Q4_0", "main", ""},
      {"https://hf.co/a/b", "a/b", "", "main", ""},
      {"huggingface.co/a/b", "a/b", "", "main", ""},
      {"https://huggingface.co/a/b/", "a/b", "", "main", ""},
      {"https://huggingface.co/a/b/tree/main", "a/b", "", "main", ""},
      {"https://huggingface.co/a/b/tree/refs%2Fpr%2F1", "a/b", "", "refs/pr/1", ""},
      {"https://huggingface.co/a/b/blob/main/s/x.gguf", "a/b", "", "main", "s/x.gguf"},
      {"https://huggingface.co/a/b/resolve/v2/x%20y.gguf?download=true", "a/b", "", "v2", "x y.gguf"},
      {"https://huggingface.co/a/b/blob/v1/xx%3Ay%40z/w.gguf", "a/b", "", "v1", "xx:y@z/w.gguf"},
      {"hf://a/b:Q5_K_M", "a/b", "Q5_K_M", "main", ""},
  };
  for (const auto& c : kCases) {
    const ModelName name = Parse(c.text);
    EXPECT_EQ(name.kind, Kind::kRepo) << c.text;
    EXPECT_EQ(name.repo, c.repo) << c.text;
    EXPECT_EQ(name.type, c.type) << c.text;
    EXPECT_EQ(name.revision, c.revision) << c.text;
    EXPECT_EQ(name.file, c.file) << c.text;
    const ModelName again = Parse(name.ToString());
    EXPECT_EQ(again.ToString(), name.ToString());
  }
}

TEST(Names, AddressesAndPaths) {
  EXPECT_EQ(Parse("https://example.org/m/x.gguf").kind, Kind::kUrl);
  const std::string hash(64, 'A');
  const ModelName pinned = Parse("https://example.org/x.gguf?a=b#sha256=" + hash);
  EXPECT_EQ(pinned.url, "https://example.org/x.gguf?a=b");
  EXPECT_EQ(pinned.sha256, std::string(64, 'a'));
  EXPECT_EQ(Parse(pinned.ToString()).sha256, pinned.sha256);
  EXPECT_EQ(Parse("file:///a/b%20c.gguf").path, "/a/b c.gguf");
  EXPECT_EQ(Parse("./model").kind, Kind::kPath);
  EXPECT_EQ(Parse("/x/y").kind, Kind::kPath);
  EXPECT_EQ(Parse("model.gguf").kind, Kind::kPath);
  EXPECT_EQ(Parse("models/x.gguf").kind, Kind::kPath);
}

TEST(Names, EndpointPages) {
  const std::string endpoint = "http://127.0.0.1:8000/mirror";
  auto name = ParseModelName("http://127.0.0.1:8000/mirror/a/b/resolve/main/x.gguf", endpoint);
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name.value().kind, Kind::kRepo);
  EXPECT_EQ(name.value().file, "x.gguf");
  name = ParseModelName("http://127.0.0.1:8000/x.gguf", endpoint);
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name.value().kind, Kind::kUrl);
}

TEST(Names, Refused) {
  for (const char* text : {"",
                           "nosuchmodel",
                           "a/b:",
                           "a/b@",
                           "a/b@../x",
                           "a/b@x//y",
                           "../../etc/passwd:Q4",
                           "a/../b:Q4",
                           "a--b/c",
                           "a/b/../c",
                           "a/b/c\\d.gguf",
                           "https://user:secret@example.org/x.gguf",
                           "https://example.org/",
                           "ftp://example.org/x",
                           "https://huggingface.co/datasets/a/b",
                           "https://huggingface.co/a",
                           "hf.co///huggingface.co/a/b/resolve/x",  // found by fuzz_hub: printed as another name
                           "hf://hf.co/a/b",
                           "datasets/a/b/x%20y",  // likewise
                           "https://example.org/x.gguf#sha256=12",
                           "https://example.org/x.gguf#top",
                           "file://host/x",
                           "a/b\x01",
                           "https://exa mple.org/x",
                           "-a/b",
                           "a/b/x.gguf:Q4_0",
                           "https://example.org:99999/x"}) {
    const auto name = ParseModelName(text);
    const bool refused = !name.ok() || (name.value().kind == Kind::kPath);
    EXPECT_TRUE(refused) << text << " -> " << (name.ok() ? name.value().ToString() : "");
    if (!name.ok()) {
      EXPECT_EQ(name.error().message.find("secret"), std::string::npos) << text;
    }
  }
  EXPECT_FALSE(ParseModelName(std::string("a/b\0c", 5)).ok());
  EXPECT_FALSE(ParseModelName(std::string(5000, 'a')).ok());
}

TEST(Names, FilesOfRepositories) {
  for (const char* good : {"a", "a/b.gguf", "x y.json", "\xC3\xA9.gguf", "..a", "a..b/c"}) {
    EXPECT_TRUE(CheckRepoFile(good).ok()) << good;
  }
  for (const char* bad : {"", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/..", ".", "a\\b", "a\nb", "C:/x", "\xFF"}) {
    EXPECT_FALSE(CheckRepoFile(bad).ok()) << bad;
  }
  EXPECT_FALSE(CheckRepoFile(std::string("a\0b", 3)).ok());
  EXPECT_FALSE(CheckRepoFile(std::string(300, 'a')).ok());
}

TEST(Names, Types) {
  EXPECT_EQ(TypeOfFileName("LFM2-8B-A1B-Q4_K_M.gguf"), "Q4_K_M");
  EXPECT_EQ(TypeOfFileName("sub/x.bf16.gguf"), "BF16");
  EXPECT_EQ(TypeOfFileName("x-UD-Q4_K_XL.gguf"), "UD-Q4_K_XL");
  EXPECT_EQ(TypeOfFileName("x-iq4_xs-00001-of-00002.gguf"), "IQ4_XS");
  EXPECT_EQ(TypeOfFileName("LFM2-8B-A1B.gguf"), "");
  EXPECT_EQ(TypeOfFileName("x-MXFP4_MOE.gguf"), "MXFP4_MOE");
  EXPECT_EQ(TypeOfFileName("x.safetensors"), "");
  const Shard shard = ShardOfFileName("d/x-Q8_0-00002-of-00010.gguf");
  EXPECT_EQ(shard.stem, "d/x-Q8_0");
  EXPECT_EQ(shard.index, 2);
  EXPECT_EQ(shard.count, 10);
  EXPECT_EQ(ShardOfFileName("x-00011-of-00010.gguf").count, 1);
}

TEST(Choose, BestThatFits) {
  constexpr uint64_t kMib = uint64_t{1} << 20;
  const std::vector<TypeOption> big{
      {"F16", 16000 * kMib}, {"Q4_0", 4500 * kMib}, {"Q4_K_M", 4800 * kMib}, {"Q6_K", 6500 * kMib}, {"Q8_0", 8500 * kMib}};
  const auto type = [](const std::vector<TypeOption>& options, uint64_t free) {
    const auto choice = ChooseType(options, free);
    EXPECT_TRUE(choice.ok());
    EXPECT_FALSE(choice.value().reason.empty());
    return options[choice.value().index].type;
  };
  EXPECT_EQ(type(big, 64000 * kMib), "Q6_K");
  EXPECT_EQ(type(big, 7000 * kMib), "Q4_K_M");
  EXPECT_EQ(type(big, 5600 * kMib), "Q4_0");
  EXPECT_EQ(type(big, 1000 * kMib), "Q4_0");
  EXPECT_FALSE(ChooseType(big, 1000 * kMib).value().fits);
  EXPECT_EQ(type(big, 0), "Q4_K_M");
  const std::vector<TypeOption> small{{"F16", 2400 * kMib}, {"Q4_K_M", 730 * kMib}, {"Q8_0", 1250 * kMib}};
  EXPECT_EQ(type(small, 8000 * kMib), "Q8_0");
  EXPECT_EQ(type(small, 2000 * kMib), "Q4_K_M");
  EXPECT_FALSE(ChooseType({}, 1).ok());
  EXPECT_GT(FreeMemory(), 0u);
}

TEST(EnvironmentTest, Variables) {
  test::TemporaryFolder folder;
  std::map<std::string, std::string> variables{{"HOME", folder.path()}};
  const GetVariable get = [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  Environment environment = ReadEnvironment(get);
  EXPECT_EQ(environment.endpoint, "https://huggingface.co");
  EXPECT_EQ(environment.cache, folder.path() + "/.cache/huggingface/hub");
  EXPECT_EQ(environment.files, folder.path() + "/.cache/lfm/files");
  EXPECT_TRUE(environment.token.empty());
  EXPECT_FALSE(environment.offline);

  test::WriteText(folder.path() + "/.cache/huggingface/token", " hf_file\n");
  EXPECT_EQ(ReadEnvironment(get).token, "hf_file");
  variables["HF_TOKEN"] = "hf_variable\r\n";
  EXPECT_EQ(ReadEnvironment(get).token, "hf_variable");
  variables["HF_TOKEN"] = "\thf_two\r\nlines ";
  EXPECT_EQ(ReadEnvironment(get).token, "hf_twolines");
  variables["HF_TOKEN"] = "hf_\x01";
  EXPECT_EQ(ReadEnvironment(get).token, "");  // no header line
  variables["HF_TOKEN"] = "  ", variables["HUGGING_FACE_HUB_TOKEN"] = "hf_other";
  EXPECT_EQ(ReadEnvironment(get).token, "hf_file");
  variables.erase("HF_TOKEN");
  EXPECT_EQ(ReadEnvironment(get).token, "hf_other");
  variables["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "yes";
  EXPECT_EQ(ReadEnvironment(get).token, "");

  variables = {{"HOME", "/h"},           {"HF_ENDPOINT", "https://mirror.example/"},
               {"HF_HOME", "~/hf"},      {"HF_HUB_OFFLINE", "1"},
               {"XDG_CACHE_HOME", "/x"}, {"LFM_CACHE", "/l"}};
  environment = ReadEnvironment(get);
  EXPECT_EQ(environment.endpoint, "https://mirror.example");
  EXPECT_EQ(environment.cache, "/h/hf/hub");
  EXPECT_EQ(environment.files, "/l/files");
  EXPECT_TRUE(environment.offline);
  variables["HF_HUB_CACHE"] = "/c";
  EXPECT_EQ(ReadEnvironment(get).cache, "/c");
}

// As huggingface_hub reads them: expandvars(expanduser(...)) on every folder and file.
TEST(EnvironmentTest, PathsAreExpanded) {
  std::map<std::string, std::string> variables{{"HOME", "/h"}, {"DISK", "/d"}, {"EMPTY", ""}};
  const GetVariable get = [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const auto cache = [&](const char* name, const char* value) {
    variables[name] = value;
    const std::string path = ReadEnvironment(get).cache;
    variables.erase(name);
    return path;
  };
  EXPECT_EQ(cache("HF_HOME", "$HOME/x"), "/h/x/hub");
  EXPECT_EQ(cache("HF_HOME", "${DISK}/x/"), "/d/x/hub");
  EXPECT_EQ(cache("HF_HOME", "~/$NOT_SET/${NOR_THIS}"), "/h/$NOT_SET/${NOR_THIS}/hub");
  EXPECT_EQ(cache("HF_HOME", "${EMPTY}/a$EMPTY/b"), "/a/b/hub");
  EXPECT_EQ(cache("HF_HOME", "/a$"), "/a$/hub");
  EXPECT_EQ(cache("HF_HOME", "/a${"), "/a${/hub");
  EXPECT_EQ(cache("XDG_CACHE_HOME", "$DISK"), "/d/huggingface/hub");
  EXPECT_EQ(cache("HF_HUB_CACHE", "~/$DISK"), "/h//d");
  EXPECT_EQ(cache("HUGGINGFACE_HUB_CACHE", "$DISK/c"), "/d/c");
  EXPECT_EQ(cache("HF_HOME", "~nobody-of-this-name/x"), "~nobody-of-this-name/x/hub");
  variables = {{"HF_HOME", "/x"}};
  EXPECT_EQ(ReadEnvironment(get).cache, "/x/hub");  // and HOME is not needed
  EXPECT_EQ(ExpandPath("~root", get), ExpandPath("~root/", get).substr(0, ExpandPath("~root", get).size()));
}

TEST(ChooseTypeTest, WhatCannotRunByItsName) {
  for (const char* type : {"Q4_K_M", "Q8_0", "IQ4_NL", "IQ4_XS", "MXFP4_MOE", "UD-Q4_K_XL", "BF16", "Q6_K_L", "IQ2_XXS", "IQ1_S",
                           "IQ3_M", "TQ1_0", "UD-IQ2_M", ""}) {
    EXPECT_TRUE(CanRunByName(type)) << type;
  }
  for (const char* type : {"Q4_0_4_4", "IQ4_NL_4_4", "NVFP4", "F64"}) {
    EXPECT_FALSE(CanRunByName(type)) << type;
  }
}

TEST(Urls, Origins) {
  EXPECT_TRUE(SameOrigin("https://A.example/x", "https://a.example:443/y"));
  EXPECT_FALSE(SameOrigin("https://a.example/", "http://a.example/"));
  EXPECT_FALSE(SameOrigin("https://a.example/", "https://a.example:444/"));
  EXPECT_FALSE(SameOrigin("https://a.example/", "https://a.example.evil/"));
  EXPECT_FALSE(SameOrigin("", ""));
  EXPECT_FALSE(SameOrigin("https://a.example/", "https://a.example@evil.example/"));
  EXPECT_FALSE(ParseUrl("https://user:secret@a.example/").ok());
  EXPECT_FALSE(ParseUrl("https:/a.example/").ok());
  EXPECT_FALSE(ParseUrl("https://a.example:0x50/").ok());
  EXPECT_FALSE(ParseUrl("https://a.example:65536/").ok());
  EXPECT_FALSE(ParseUrl("https://").ok());
  EXPECT_EQ(ParseUrl("HTTPS://A.example:8/b/../c?d=1#sha256=e").value().Origin(), "https://a.example:8");
  EXPECT_EQ(ParseUrl("https://a.example/b/../c?d=1#sha256=e").value().path, "/b/../c");
  EXPECT_EQ(ParseUrl("https://a.example/b/../c?d=1#sha256=e").value().fragment, "sha256=e");
  EXPECT_EQ(ParseUrl("https://[::1]:99").value().Origin(), "https://[::1]:99");
  EXPECT_EQ(ParseUrl("https://[::1]:99").value().path, "/");
  EXPECT_TRUE(IsConfidential(ParseUrl("http://127.0.0.1:1/").value()));
  EXPECT_FALSE(IsConfidential(ParseUrl("http://example.org/").value()));
  EXPECT_EQ(PercentDecode(PercentEncode("a b/\xC3\xA9%?#", false)), "a b/\xC3\xA9%?#");
}

}  // namespace
}  // namespace lfm::hub
