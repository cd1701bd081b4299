// What the environment says about the hub, read in this one place: the same variables as huggingface_hub's.
// Proxies (http_proxy, https_proxy, all_proxy, no_proxy) and SSL_CERT_FILE are read by libcurl and OpenSSL.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace lfm::hub {

struct Environment {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT, without a final slash
  std::string token;         // HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else the token file; empty: none
  std::string token_source;  // where the token came from, for messages: "HF_TOKEN" or the file's path
  std::string home;          // HF_HOME, else $XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface
  std::string cache;         // HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HOME/hub
  std::string files;         // files pulled by address: LFM_CACHE/files; LFM_CACHE is else ~/.cache/lfm
  bool offline = false;      // HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is 1, on, yes or true
};

// Looks a variable up; nothing when it is not set.
using GetVariable = std::function<std::optional<std::string>(const char*)>;

// Fills an Environment from the process's variables (or `get`, for tests) and the token file.
Environment ReadEnvironment();
Environment ReadEnvironment(const GetVariable& get);

}  // namespace lfm::hub
