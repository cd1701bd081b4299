// Pulls: names to plans, plans to files.
#include "hub/pull.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/path_name.h"
#include "base/strings.h"
#include "hub/choose.h"
#include "hub/posix.h"
#include "hub/url.h"

namespace lfm::hub {
namespace {

// How much of a GGUF file is looked at before it is fetched: the architecture and the settings stand in the first MiB, the
// tensors' types behind the vocabulary, within 8 MiB in published files.
constexpr uint64_t kFirstProbe = uint64_t{1} << 20, kLastProbe = uint64_t{64} << 20;

std::string SnapshotPath(const PullPlan& plan, const RepoFolders& folders, const RepoFile& file) {
  return folders.snapshots + "/" + plan.commit + "/" + file.path;
}

// Whether a file of the plan is in its snapshot with the right size, and through the right blob.
bool IsHere(const PullPlan& plan, const RepoFolders& folders, const RepoFile& file) {
  const std::string path = SnapshotPath(plan, folders, file);
  if (FileSize(path) != file.size) return false;
  std::error_code error;
  const auto target = std::filesystem::read_symlink(path, error);
  return error || file.etag.empty() || target.filename().string() == file.etag;
}

Status CheckOnline(const Environment& environment, const std::string& what) {
  if (!environment.offline) return Ok();
  return Error{ErrorCode::kNotFound, StrCat(what,
                                            " is not on this machine, and HF_HUB_OFFLINE forbids fetching it; "
                                            "unset HF_HUB_OFFLINE")};
}

Result<PullPlan> PlanLocal(const ModelName& name, PullPlan plan, const std::string& path) {
  if (!FileExists(path)) {
    return Error{ErrorCode::kNotFound, StrCat("there is no file or folder ", Quote(name.path, 300))};
  }
  plan.path = path;
  plan.is_here = true;
  return plan;
}

Result<PullPlan> PlanAddress(PullPlan plan, const PullOptions& options) {
  const ModelName& name = plan.name;
  const AddressedFile place = PlaceOf(options.environment, name.url);
  plan.path = place.path;
  const auto here = ResolveModel(name.ToString(), options.environment, options.free_memory);
  if (here.ok() && !options.verify) {
    plan.total_bytes = FileSize(here.value().path).value_or(0);
    plan.is_here = true;
    return plan;
  }
  LFM_RETURN_IF_ERROR(CheckOnline(options.environment, name.url));
  HttpClient client(options.download.http);
  const bool at_hub = SameOrigin(name.url, options.environment.endpoint);
  LFM_TRY(plan.identity, ProbeAddress(client, name.url, at_hub ? options.environment.token : "", name.url, options.download.retry,
                                      options.download.cancel));
  const std::string file = NameOfPath(place.path);
  plan.files.push_back({file, plan.identity.size, name.sha256});
  plan.total_bytes = plan.missing_bytes = plan.identity.size;
  return plan;
}

Result<PullPlan> PlanOffline(PullPlan plan, const PullOptions& options) {
  const auto here = ResolveModel(plan.name.ToString(), options.environment, options.free_memory);
  if (!here.ok()) {
    LFM_RETURN_IF_ERROR(CheckOnline(options.environment, plan.name.ToString()));
    return here.error();
  }
  plan.full_name = here.value().name;
  plan.reason = here.value().reason;
  plan.path = here.value().path;
  plan.is_here = true;
  return plan;
}

Result<PullPlan> PlanRepo(PullPlan plan, const PullOptions& options) {
  const ModelName& name = plan.name;
  if (options.environment.offline) return PlanOffline(std::move(plan), options);
  HttpClient client(options.download.http);
  LFM_TRY(const RepoListing listing,
          ListRepo(client, options.environment, name.repo, name.revision, options.download.retry, options.download.cancel));
  const uint64_t memory = options.free_memory ? options.free_memory : FreeMemory();
  LFM_TRY(const Selection selection, SelectFiles(listing, name, memory));
  plan.commit = listing.commit;
  plan.reason = selection.reason;
  plan.files = selection.files;
  ModelName full = name;
  if (full.file.empty()) full.type = selection.type;
  plan.full_name = full.ToString();
  const RepoFolders folders = FoldersOf(options.environment, name.repo);
  plan.is_here = true;
  for (const RepoFile& file : plan.files) {
    plan.total_bytes += file.size;
    if (IsHere(plan, folders, file)) continue;
    plan.is_here = false;
    if (file.etag.empty() || FileSize(folders.blobs + "/" + file.etag) != file.size) plan.missing_bytes += file.size;
  }
  const std::string snapshot = folders.snapshots + "/" + plan.commit;
  plan.is_folder = selection.folder;
  plan.path = selection.folder ? snapshot : snapshot + "/" + plan.files[0].path;
  return plan;
}

// Carries out one plan.
class Puller {
 public:
  Puller(const PullPlan& plan, const PullOptions& options) : plan_(plan), options_(options), download_(options.download) {
    download_.on_progress = [this](const DownloadProgress& progress) { Report(progress); };
  }

  Result<Pulled> Run() {
    pulled_.name = plan_.full_name;
    pulled_.path = plan_.path;
    pulled_.total_bytes = plan_.total_bytes;
    if (plan_.name.kind == ModelName::Kind::kRepo && !plan_.files.empty()) {
      LFM_RETURN_IF_ERROR(RunRepo());
    } else if (plan_.name.kind == ModelName::Kind::kUrl && !plan_.is_here) {
      LFM_RETURN_IF_ERROR(RunAddress());
    }
    return pulled_;
  }

 private:
  void Report(const DownloadProgress& progress) const {
    if (!options_.on_progress) return;
    PullProgress out;
    out.phase = progress.phase;
    out.file = plan_.files[i_file_].path;
    out.i_file = i_file_;
    out.n_files = plan_.files.size();
    out.file_done = progress.done;
    out.file_total = progress.total;
    out.total = plan_.total_bytes;
    out.done = done_before_ + (progress.phase == DownloadProgress::Phase::kFetch ? progress.done : progress.total);
    options_.on_progress(out);
  }

  // Before gigabytes are fetched for nothing.
  Status CheckSpace(const std::string& folder) const {
    LFM_RETURN_IF_ERROR(MakeFolders(folder));
    LFM_TRY(const uint64_t free, FreeDiskBytes(folder));
    uint64_t partial = 0;
    for (const RepoFile& file : plan_.files) {
      struct stat info {};
      if (stat((folder + "/" + file.etag + ".lfm.incomplete").c_str(), &info) == 0) {
        partial += std::min(file.size, static_cast<uint64_t>(info.st_blocks) * 512);
      }
    }
    const uint64_t needed = plan_.missing_bytes - std::min(plan_.missing_bytes, partial);
    if (needed <= free) return Ok();
    return Error{ErrorCode::kIo,
                 StrCat(plan_.full_name, " needs ", HumanBytes(needed), " more on disk, but ", folder, " has ", HumanBytes(free),
                        " free; free some space, set HF_HUB_CACHE to another disk, or take a smaller type")};
  }

  Status RunRepo() {
    const RepoFolders folders = FoldersOf(options_.environment, plan_.name.repo);
    LFM_RETURN_IF_ERROR(CheckSpace(folders.blobs));
    WriteCacheTag(options_.environment.cache);
    bool checked = plan_.is_here;
    for (i_file_ = 0; i_file_ < plan_.files.size(); ++i_file_) {
      const RepoFile& file = plan_.files[i_file_];
      const bool is_weights = file.path.ends_with(".safetensors");
      if (plan_.is_folder && is_weights && !checked && options_.check_folder) {
        checked = true;
        if (const Status can_run = options_.check_folder(plan_.path); !can_run.ok()) {
          return Error{can_run.error().code,
                       StrCat(plan_.full_name, ": ", can_run.error().message, "; its weights were not fetched")};
        }
      }
      LFM_RETURN_IF_ERROR(RunRepoFile(folders, file));
      done_before_ += file.size;
    }
    // A cache that may only be read serves as it is.
    if (plan_.is_here && access(options_.environment.cache.c_str(), W_OK) != 0) return Ok();
    // Last, so that an interrupted update leaves the ref on the commit that is whole.
    return WriteRef(folders, plan_.name.revision, plan_.commit);
  }

  // Asks about the first bytes of a file none of which is here yet. A server without ranges sends the whole file: it is left
  // as soon as enough has come. What no answer tells does not stop the download, which says itself what is wrong.
  Status CheckBeginning(const DownloadSource& source, const DownloadTarget& target, bool first_part) {
    const uint64_t size = source.identity.size;
    if (!options_.check_beginning || !first_part || FileExists(target.final_path) || FileExists(target.state_path())) return Ok();
    if (size == 0) {
      const auto answer = options_.check_beginning(source.what, {}, size);
      return answer.ok() ? Ok() : Status(answer.error());
    }
    HttpClient client(options_.download.http);
    std::vector<std::byte> bytes;
    for (uint64_t wanted = kFirstProbe; wanted <= kLastProbe; wanted *= 8) {
      const uint64_t end = std::min(size, wanted);
      HttpRequest request;
      request.url = source.url;
      request.token = source.token;
      request.cancel = options_.download.cancel;
      request.range = {bytes.size(), end - 1};
      request.total_timeout_s = 60;
      bool has_ranges = true;
      request.on_head = [&](const HttpResponse& head) -> Status {
        has_ranges = head.status() == 206;
        if (!has_ranges) bytes.clear();
        return has_ranges || head.status() == 200 ? Ok() : Error{ErrorCode::kUnsupported, "the server sends no part of it"};
      };
      request.on_body = [&](std::span<const std::byte> piece) -> Status {
        const size_t room = end - bytes.size();
        if (piece.size() > room && has_ranges) return Error{ErrorCode::kCorrupt, "more came than was asked for"};
        const auto used = piece.first(std::min(piece.size(), room));
        bytes.insert(bytes.end(), used.begin(), used.end());
        return has_ranges || bytes.size() < end ? Ok() : Status(Error{ErrorCode::kLimit, "that is enough"});
      };
      const HttpOutcome outcome = client.Perform(request);
      if (!outcome.status.ok() && outcome.status.error().code == ErrorCode::kCancelled) return outcome.status;
      if (bytes.size() < end || (has_ranges && !outcome.status.ok())) return Ok();
      const auto answer = options_.check_beginning(source.what, bytes, size);
      if (!answer.ok()) return Error{answer.error().code, StrCat(answer.error().message, "; its weights were not fetched")};
      if (*answer || end == size) return Ok();
    }
    return Ok();
  }

  Status RunRepoFile(const RepoFolders& folders, const RepoFile& file) {
    const bool here = IsHere(plan_, folders, file);
    if (here && !options_.verify) return Ok();
    DownloadSource source;
    source.url = ResolveUrl(options_.environment, plan_.name.repo, plan_.commit, file.path);
    source.token = options_.environment.token;
    source.what = plan_.name.repo + "/" + file.path;
    source.identity = {file.size, file.etag, ""};
    if (file.etag.empty()) {
      LFM_TRY(source.identity, ProbeHub(source));
    }
    source.pinned = true;
    const std::string& etag = source.identity.etag;
    source.hash_kind = HashKindOf(etag) == HashKind::kNone ? HashKind::kSha256 : HashKindOf(etag);
    source.hash = HashKindOf(etag) == HashKind::kNone ? "" : etag;
    const DownloadTarget target{folders.blobs + "/" + etag, folders.blobs + "/" + etag + ".lfm.incomplete",
                                folders.locks + "/" + etag + ".lock"};
    if (options_.verify) LFM_RETURN_IF_ERROR(DropDamaged(target, source));
    LFM_RETURN_IF_ERROR(CheckBeginning(source, target, EndsInGguf(file.path) && i_file_ == 0));
    LFM_TRY(const Downloaded done, Download(source, target, download_));
    pulled_.received_bytes += done.received;
    return LinkIntoSnapshot(folders, plan_.commit, file.path, etag);
  }

  // For hubs whose listing names no hash: the etag and size of the file itself.
  Result<RemoteIdentity> ProbeHub(const DownloadSource& source) {
    HttpClient client(options_.download.http);
    HttpRequest request;
    request.method = "HEAD";
    request.url = source.url;
    request.token = source.token;
    request.cancel = options_.download.cancel;
    request.total_timeout_s = 60;
    LFM_TRY(const HttpResponse response, PerformWithRetries(client, request, source.what, options_.download.retry));
    const auto linked = response.FindFirst("x-linked-etag");
    RemoteIdentity identity = source.identity;
    identity.etag = NormalizeEtag(linked ? *linked : response.hops.front().Find("etag").value_or(""));
    if (!identity.etag.empty()) return identity;
    return Error{ErrorCode::kCorrupt, StrCat("the hub tells no etag of ", source.what, "; check HF_ENDPOINT")};
  }

  // Removes a blob whose content is not what its name says.
  Status DropDamaged(const DownloadTarget& target, const DownloadSource& source) {
    const auto size = FileSize(target.final_path);
    if (!size || source.hash.empty()) return Ok();
    DownloadProgress progress{DownloadProgress::Phase::kCheck, 0, *size};
    const auto on_bytes = [&](uint64_t n) {
      progress.done += n;
      Report(progress);
    };
    LFM_TRY(const std::string hash, HashFile(target.final_path, source.hash_kind, download_.cancel, on_bytes));
    if (hash == source.hash) return Ok();
    if (download_.on_message) download_.on_message(StrCat(source.what, " is damaged on disk; fetching it again"));
    if (unlink(target.final_path.c_str()) != 0) return SystemError("remove", target.final_path);
    return Ok();
  }

  Status RunAddress() {
    const ModelName& name = plan_.name;
    const AddressedFile place = PlaceOf(options_.environment, name.url);
    DownloadSource source;
    source.url = name.url;
    source.token = SameOrigin(name.url, options_.environment.endpoint) ? options_.environment.token : "";
    source.what = name.url;
    source.identity = plan_.identity;
    source.hash = name.sha256;
    source.refresh = [&] {
      HttpClient client(download_.http);
      return ProbeAddress(client, source.url, source.token, source.what, download_.retry, download_.cancel);
    };
    LFM_RETURN_IF_ERROR(MakeFolders(FolderOfPath(place.path)));
    LFM_RETURN_IF_ERROR(RemoveStale(place, source));
    const DownloadTarget target{place.path, place.path + ".lfm.incomplete", place.lock_path};
    LFM_RETURN_IF_ERROR(CheckBeginning(source, target, true));
    LFM_TRY(const Downloaded done, Download(source, target, download_));
    pulled_.received_bytes += done.received;
    pulled_.total_bytes = done.size;
    std::string hash = done.hash;
    if (hash.empty()) {
      LFM_TRY(hash, HashFile(place.path, HashKind::kSha256, download_.cancel));
    }
    Json meta;
    meta.Set("url", name.url).Set("size", done.size).Set("sha256", hash);
    meta.Set("etag", done.identity.etag).Set("modified", done.identity.modified);
    LFM_TRY(const FileLock lock, FileLock::Acquire(place.lock_path, download_.cancel, {}));
    return WriteSmallFile(place.meta_path, meta.Dump(2) + "\n");
  }

  // A file at the place that is not known to be what the address holds now: an older version, or a damaged
  // one.
  Status RemoveStale(const AddressedFile& place, const DownloadSource& source) {
    if (!FileExists(place.path)) return Ok();
    LFM_TRY(const std::string hash, HashFile(place.path, HashKind::kSha256, download_.cancel));
    const auto text = ReadWholeFile(place.meta_path, 1 << 16);
    const auto json = text.ok() ? ParseJson(text.value()) : Result<Json>(text.error());
    const bool known = json.ok() && json.value()["sha256"].AsString() == hash &&
                       json.value()["etag"].AsString() == source.identity.etag &&
                       json.value()["modified"].AsString() == source.identity.modified;
    if (source.hash.empty() ? known : hash == source.hash) return Ok();
    if (unlink(place.path.c_str()) != 0) return SystemError("remove", place.path);
    unlink(place.meta_path.c_str());
    return Ok();
  }

  const PullPlan& plan_;
  const PullOptions& options_;
  DownloadOptions download_;
  Pulled pulled_;
  size_t i_file_ = 0;
  uint64_t done_before_ = 0;
};

}  // namespace

Result<PullPlan> PlanPull(std::string_view text, const PullOptions& options) {
  PullPlan plan;
  LFM_TRY(plan.name, ParseModelName(text, options.environment.endpoint));
  plan.full_name = plan.name.ToString();
  switch (plan.name.kind) {
    case ModelName::Kind::kPath: {
      const std::string path = plan.name.path;
      const ModelName name = plan.name;
      return PlanLocal(name, std::move(plan), path);
    }
    case ModelName::Kind::kUrl: return PlanAddress(std::move(plan), options);
    case ModelName::Kind::kRepo: break;
  }
  return PlanRepo(std::move(plan), options);
}

Result<Pulled> RunPull(const PullPlan& plan, const PullOptions& options) { return Puller(plan, options).Run(); }

}  // namespace lfm::hub
