#include "server/response_store.h"

#include <functional>

namespace lfm::server {
namespace {

constexpr size_t kEntryBytes = 512;  // what an entry takes beside its texts, about

}  // namespace

size_t ResponseStore::HashKey::operator()(const Key& key) const {
  return std::hash<std::string>()(key.first) * 31 + std::hash<std::string>()(key.second);
}

void ResponseStore::Erase(std::list<Entry>::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

void ResponseStore::Put(const std::string& caller, const std::string& id, StoredResponse response) {
  const size_t bytes = kEntryBytes + response.response.size() + response.input_items.size() + response.messages.size();
  const std::lock_guard lock(mutex_);
  if (const auto old = by_key_.find({caller, id}); old != by_key_.end()) Erase(old->second);
  if (bytes > max_bytes_ || max_responses_ == 0) return;
  while (entries_.size() >= max_responses_ || bytes_ + bytes > max_bytes_) Erase(std::prev(entries_.end()));
  entries_.push_front({{caller, id}, std::make_shared<const StoredResponse>(std::move(response)), bytes});
  by_key_[entries_.front().key] = entries_.begin();
  bytes_ += bytes;
}

std::shared_ptr<const StoredResponse> ResponseStore::Find(const std::string& caller, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find({caller, id});
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return entries_.front().response;
}

bool ResponseStore::Remove(const std::string& caller, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find({caller, id});
  if (found == by_key_.end()) return false;
  Erase(found->second);
  return true;
}

size_t ResponseStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

size_t ResponseStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace lfm::server
