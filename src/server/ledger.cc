#include "server/ledger.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/start_thread.h"
#include "base/strings.h"
#include "base/write_target.h"

namespace lfm::server {

// Not in the unnamed namespace: members of Ledger::Database have these types.
struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using DatabaseHandle = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

namespace {

constexpr int kSchemaVersion = 1;
constexpr int kBusyMs = 5000;
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, request_id TEXT NOT NULL, "
    "key TEXT NOT NULL, label TEXT NOT NULL, route TEXT NOT NULL, model TEXT NOT NULL, status INTEGER NOT NULL, "
    "finish_reason TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, "
    "completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, cost_pico_dollars INTEGER NOT NULL, "
    "queue_s REAL NOT NULL, prefill_s REAL NOT NULL, decode_s REAL NOT NULL, ttft_s REAL NOT NULL, total_s REAL NOT NULL);"
    "CREATE INDEX IF NOT EXISTS requests_time ON requests (time_us);";
constexpr const char* kColumns =
    "time_us, request_id, key, label, route, model, status, finish_reason, prompt_tokens, cached_tokens, "
    "completion_tokens, reasoning_tokens, cost_pico_dollars, queue_s, prefill_s, decode_s, ttft_s, total_s";
constexpr const char* kInsert = "INSERT INTO requests (%) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

Error Failed(const std::string& path, const std::string& why) { return {ErrorCode::kIo, StrCat("ledger ", path, ": ", why)}; }

// What SQLite says of its last call; of the system's calls also why they failed: "disk I/O error" is said of many.
std::string DatabaseReason(sqlite3* database) {
  if (!database) return "out of memory";
  const int code = sqlite3_errcode(database) & 0xFF;
  const bool is_system = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL;
  const int reason = is_system ? sqlite3_system_errno(database) : 0;
  if (reason == 0) return sqlite3_errmsg(database);
  const char* advice = "";
  if (reason == EMFILE) advice = "; a limit (ulimit -n) allows no more open files";
  if (reason == EFBIG) advice = "; a limit (ulimit -f) or the file system allows no file of this size";
  return StrCat(sqlite3_errmsg(database), " (", std::strerror(reason), ")", advice);
}

Result<DatabaseHandle> OpenDatabase(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  DatabaseHandle database(raw);
  if (code != SQLITE_OK) return Failed(path, DatabaseReason(raw));
  sqlite3_busy_timeout(raw, kBusyMs);
  return database;
}

Status Execute(sqlite3* database, const std::string& path, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return Ok();
  return Failed(path, DatabaseReason(database));
}

Result<Statement> Prepare(sqlite3* database, const std::string& path, const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database, sql.c_str(), static_cast<int>(sql.size()), &raw, nullptr) != SQLITE_OK) {
    return Failed(path, DatabaseReason(database));
  }
  return Statement(raw);
}

Result<int> SchemaVersion(sqlite3* database, const std::string& path) {
  LFM_TRY(const Statement statement, Prepare(database, path, "PRAGMA user_version"));
  if (sqlite3_step(statement.get()) != SQLITE_ROW) return Failed(path, DatabaseReason(database));
  return sqlite3_column_int(statement.get(), 0);
}

void Bind(sqlite3_stmt* statement, int i, const std::string& text) {
  sqlite3_bind_text(statement, i, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

bool Insert(sqlite3_stmt* statement, const LedgerRow& row) {
  sqlite3_reset(statement);
  int i = 0;
  const auto integer = [&](int64_t value) { sqlite3_bind_int64(statement, ++i, value); };
  const auto real = [&](double value) { sqlite3_bind_double(statement, ++i, value); };
  integer(row.time_us);
  for (const std::string* text : {&row.request_id, &row.key, &row.label, &row.route, &row.model}) Bind(statement, ++i, *text);
  integer(row.status);
  Bind(statement, ++i, row.finish_reason);
  for (const int64_t value :
       {row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.reasoning_tokens, row.cost_pico_dollars}) {
    integer(value);
  }
  for (const double value : {row.queue_s, row.prefill_s, row.decode_s, row.ttft_s, row.total_s}) real(value);
  return sqlite3_step(statement) == SQLITE_DONE;
}

std::string TextColumn(sqlite3_stmt* statement, int i) {
  const unsigned char* text = sqlite3_column_text(statement, i);
  return text ? std::string(static_cast<const char*>(static_cast<const void*>(text)),
                            static_cast<size_t>(sqlite3_column_bytes(statement, i)))
              : std::string();
}

LedgerRow ReadRow(sqlite3_stmt* s) {
  LedgerRow row;
  row.time_us = sqlite3_column_int64(s, 0);
  int i = 1;
  for (std::string* text : {&row.request_id, &row.key, &row.label, &row.route, &row.model}) *text = TextColumn(s, i++);
  row.status = sqlite3_column_int64(s, i++);
  row.finish_reason = TextColumn(s, i++);
  for (int64_t* value :
       {&row.prompt_tokens, &row.cached_tokens, &row.completion_tokens, &row.reasoning_tokens, &row.cost_pico_dollars}) {
    *value = sqlite3_column_int64(s, i++);
  }
  for (double* value : {&row.queue_s, &row.prefill_s, &row.decode_s, &row.ttft_s, &row.total_s}) {
    *value = sqlite3_column_double(s, i++);
  }
  return row;
}

// "WHERE ..." with its two parameters bound by BindFilter.
constexpr const char* kWhere = " WHERE time_us >= ?1 AND (?2 IS NULL OR key = ?2)";
void BindFilter(sqlite3_stmt* statement, const LedgerFilter& filter) {
  sqlite3_bind_int64(statement, 1, filter.since_us);
  if (filter.key) Bind(statement, 2, *filter.key);
}

}  // namespace

struct LedgerReader::Database {
  std::string path;
  DatabaseHandle handle;
};

LedgerReader::LedgerReader(std::unique_ptr<Database> database) : database_(std::move(database)) {}
LedgerReader::LedgerReader(LedgerReader&&) noexcept = default;
LedgerReader& LedgerReader::operator=(LedgerReader&&) noexcept = default;
LedgerReader::~LedgerReader() = default;

Result<LedgerReader> LedgerReader::Open(const std::string& path) {
  // Reading a WAL needs its shared memory, so the file is opened for writing where that is allowed.
  auto handle = OpenDatabase(path, access(path.c_str(), W_OK) == 0 ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
  if (!handle.ok()) return handle.error();
  LFM_TRY(const int version, SchemaVersion(handle->get(), path));
  if (version != kSchemaVersion) {
    return Failed(path, StrCat("its format is version ", version, ", this program knows ", kSchemaVersion));
  }
  auto database = std::make_unique<Database>();
  database->path = path;
  database->handle = std::move(handle).value();
  return LedgerReader(std::move(database));
}

Status LedgerReader::ForEach(const LedgerFilter& filter, const std::function<void(const LedgerRow&)>& take) {
  const std::string sql =
      StrCat("SELECT * FROM (SELECT ", kColumns, ", id FROM requests", kWhere, " ORDER BY id DESC LIMIT ?3) ORDER BY id");
  LFM_TRY(const Statement statement, Prepare(database_->handle.get(), database_->path, sql));
  BindFilter(statement.get(), filter);
  sqlite3_bind_int64(statement.get(), 3, filter.limit);
  int code = 0;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) take(ReadRow(statement.get()));
  if (code != SQLITE_DONE) return Failed(database_->path, DatabaseReason(database_->handle.get()));
  return Ok();
}

Result<std::vector<LedgerSum>> LedgerReader::Sums(const LedgerFilter& filter, LedgerGroup by) {
  const char* name = by == LedgerGroup::kKey   ? "key"
                     : by == LedgerGroup::kDay ? "strftime('%Y-%m-%d', time_us / 1000000, 'unixepoch')"
                                               : "model";
  const std::string sql = StrCat("SELECT ", name,
                                 ", max(label), count(*), sum(prompt_tokens), sum(cached_tokens), "
                                 "sum(completion_tokens), sum(reasoning_tokens), sum(cost_pico_dollars) FROM requests",
                                 kWhere, " GROUP BY 1 ORDER BY 1");
  LFM_TRY(const Statement statement, Prepare(database_->handle.get(), database_->path, sql));
  sqlite3_stmt* const s = statement.get();
  BindFilter(s, filter);
  std::vector<LedgerSum> sums;
  int code = 0;
  while ((code = sqlite3_step(s)) == SQLITE_ROW) {
    LedgerSum sum{.name = TextColumn(s, 0), .label = TextColumn(s, 1)};
    int i = 2;
    for (int64_t* value : {&sum.n_requests, &sum.prompt_tokens, &sum.cached_tokens, &sum.completion_tokens, &sum.reasoning_tokens,
                           &sum.cost_pico_dollars}) {
      *value = sqlite3_column_int64(s, i++);
    }
    sums.push_back(std::move(sum));
  }
  if (code != SQLITE_DONE) return Failed(database_->path, DatabaseReason(database_->handle.get()));
  return sums;
}

struct Ledger::Database {
  DatabaseHandle handle;
  Statement insert;
};

Result<std::unique_ptr<Ledger>> Ledger::Open(const std::string& path) {
  if (const Status link = CheckNoLinkToNothing(path); !link.ok()) return link.error().Within("ledger");
  // SQLite would make the file readable by all; and its own words for a file that cannot be made say little.
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Failed(path, StrCat("cannot be opened for writing (", std::strerror(errno), ")"));
  struct stat info {};
  const bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  close(fd);
  // SQLite writes a journal beside whatever it is given.
  if (!is_file) return Failed(path, "it is no regular file");
  auto database = std::make_unique<Database>();
  LFM_TRY(database->handle, OpenDatabase(path, SQLITE_OPEN_READWRITE));
  sqlite3* const handle = database->handle.get();
  LFM_TRY(const int version, SchemaVersion(handle, path));
  if (version != 0 && version != kSchemaVersion) {
    return Failed(path, StrCat("its format is version ", version, ", this program knows ", kSchemaVersion));
  }
  LFM_RETURN_IF_ERROR(Execute(handle, path, "PRAGMA journal_mode=WAL"));
  LFM_RETURN_IF_ERROR(Execute(handle, path, "PRAGMA synchronous=FULL"));
  LFM_RETURN_IF_ERROR(Execute(handle, path, "PRAGMA cache_size=-256"));  // KiB: rows are added at the end, none is read again
  LFM_RETURN_IF_ERROR(
      Execute(handle, path, StrCat("BEGIN IMMEDIATE;", kSchema, "PRAGMA user_version=", kSchemaVersion, ";COMMIT").c_str()));
  std::string insert = kInsert;
  insert.replace(insert.find('%'), 1, kColumns);
  LFM_TRY(database->insert, Prepare(handle, path, insert));
  std::unique_ptr<Ledger> ledger(new Ledger(path, std::move(database)));
  LFM_TRY(ledger->thread_, StartThread("the ledger", [self = ledger.get()] { self->Loop(); }));
  return ledger;
}

Ledger::Ledger(std::string path, std::unique_ptr<Database> database) : path_(std::move(path)), database_(std::move(database)) {}

Ledger::~Ledger() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Ledger::Append(LedgerRow row, std::function<void()> stored) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back({std::move(row), std::move(stored)});
  }
  wake_.notify_one();
}

void Ledger::Loop() {
  sqlite3* const handle = database_->handle.get();
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::vector<Entry> batch = std::exchange(queue_, {});
    lock.unlock();
    bool good = sqlite3_exec(handle, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
    for (const Entry& entry : batch) good = good && Insert(database_->insert.get(), entry.row);
    sqlite3_reset(database_->insert.get());
    good = good && sqlite3_exec(handle, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK;
    if (!good) {
      n_errors_.fetch_add(batch.size());
      Log(LogLevel::kWarning, StrCat("ledger ", path_, ": ", batch.size(), " rows are lost: ", DatabaseReason(handle)));
      sqlite3_exec(handle, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    for (const Entry& entry : batch) entry.stored();
  }
}

}  // namespace lfm::server
