// What the environment says about the hub, read in this one place: the same variables as huggingface_hub's.
// Every folder and file among them may hold ~ and $VARIABLES. Only proxies (http_proxy, https_proxy, all_proxy, no_proxy) are read elsewhere, by libcurl.
#pragma once

#include <string>

#include "base/expand_path.h"

namespace lfm::hub {

struct Environment {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT, without a final slash
  std::string token;                                // HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else the token file; empty: none
  std::string token_source;                         // where the token came from, for messages: "HF_TOKEN" or the file's path
  std::string home;                                 // HF_HOME, else $XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface
  std::string cache;                                // HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HOME/hub
  std::string files;                                // files pulled by address: LFM_CACHE/files; LFM_CACHE is else ~/.cache/lfm
  std::string ca_file;   // SSL_CERT_FILE, else CURL_CA_BUNDLE, else REQUESTS_CA_BUNDLE: certificates to trust
  bool offline = false;  // HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is 1, on, yes or true
};

// Fills an Environment from the variables and the token file. The program passes its own reader of variables.
Environment ReadEnvironment(const GetVariable& get);

}  // namespace lfm::hub
