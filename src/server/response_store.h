// Finished responses of /v1/responses, kept for previous_response_id and retrieval: in memory, within bounds, each for the
// caller that made it.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace lfm::server {

struct StoredResponse {
  std::string response;     // JSON text, as it was sent
  std::string input_items;  // JSON text of a list
  std::string messages;     // JSON text of a list: the whole conversation with the answer, as templates take it
};

// Thread-safe. The least recently used go first.
class ResponseStore {
 public:
  explicit ResponseStore(size_t max_responses = 1000, size_t max_bytes = size_t{64} << 20)
      : max_responses_(max_responses), max_bytes_(max_bytes) {}

  // What alone exceeds the bytes is not kept.
  void Put(const std::string& caller, const std::string& id, StoredResponse response);
  // Null where there is none of this caller.
  std::shared_ptr<const StoredResponse> Find(const std::string& caller, const std::string& id);
  bool Remove(const std::string& caller, const std::string& id);
  size_t size() const;
  size_t bytes() const;

 private:
  using Key = std::pair<std::string, std::string>;
  struct Entry {
    Key key;
    std::shared_ptr<const StoredResponse> response;
    size_t bytes = 0;
  };
  struct HashKey {
    size_t operator()(const Key& key) const;
  };
  void Erase(std::list<Entry>::iterator entry);

  const size_t max_responses_, max_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, HashKey> by_key_;
  size_t bytes_ = 0;
};

}  // namespace lfm::server
