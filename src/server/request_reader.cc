#include "server/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <limits>

#include "base/strings.h"

namespace lfm::server {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::string_view;

namespace {

std::string_view View(string_view text) { return {text.data(), text.size()}; }

char LowerChar(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string LowerCase(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), LowerChar);
  return out;
}

// Whether a comma-separated list of a header holds the word, whatever its case.
bool ListHas(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (LowerCase(item) == word) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

// Beast's parser with callbacks into the reader.
class RequestReader::Parser : public http::basic_parser<true> {
 public:
  explicit Parser(RequestReader& reader) : reader_(reader) {
    header_limit(static_cast<uint32_t>(reader.limits_.max_head + 4));
    body_limit(std::numeric_limits<uint64_t>::max());  // the reader's own limit counts (1.74 takes none for zero)
  }

 private:
  using error_code = boost::beast::error_code;

  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
    reader_.request_.method = View(method);
    reader_.target_ = View(target);
    reader_.http11_ = version == 11;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    if (reader_.state_ == State::kHead) reader_.TakeField(View(name), View(value));  // trailers are read over
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<uint64_t> const&, error_code&) override {}
  size_t on_body_impl(string_view bytes, error_code& ec) override {
    if (!reader_.TakeBody(View(bytes))) ec = http::error::body_limit;
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view bytes, error_code& ec) override {
    if (!reader_.TakeBody(View(bytes))) ec = http::error::body_limit;
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}

  RequestReader& reader_;
};

RequestReader::RequestReader(const ReaderLimits& limits) : limits_(limits) {}
RequestReader::~RequestReader() = default;

void RequestReader::Refuse(int status, std::string message) {
  if (state_ == State::kFailed) return;
  error_ = ApiError{};
  error_.status = status;
  error_.message = std::move(message);
  if (status == 413) error_.code = "request_too_large";
  state_ = State::kFailed;
}

void RequestReader::Next() {
  state_ = State::kHead;
  request_ = {};
  target_.clear();
  parser_.reset();
  n_scanned_ = line_begin_ = 0;
  n_lines_ = n_hosts_ = n_lengths_ = n_codings_ = 0;
  http11_ = keep_alive_ = true;
  expects_continue_ = chunked_ = discard_ = skipped_line_ = false;
  content_length_.reset();
}

void RequestReader::DiscardBody() {
  discard_ = true;
  request_.body.clear();
}

size_t RequestReader::Feed(std::string_view input) {
  if (state_ == State::kHead) return FeedHead(input);
  if (state_ == State::kBody) return FeedBody(input);
  return 0;
}

// Looks at the bytes that came since the last call. True: the head is whole and ends at `end`.
bool RequestReader::ScanHead(std::string_view input, size_t& end) {
  for (size_t i = n_scanned_; i < input.size(); ++i) {
    const char c = input[i];
    n_scanned_ = i + 1;
    if (n_lines_ == 0 && i >= limits_.max_target) {
      Refuse(414, StrCat("the request line is longer than ", limits_.max_target, " bytes"));
      return false;
    }
    if (i >= limits_.max_head) {
      Refuse(431, StrCat("the headers are longer than ", limits_.max_head, " bytes"));
      return false;
    }
    if (i > 0 && input[i - 1] == '\r' && c != '\n') {
      Refuse(400, "a carriage return stands alone in the head of the request");
      return false;
    }
    if (c == '\n') {
      if (i == 0 || input[i - 1] != '\r') {
        Refuse(400, "a line of the request's head ends without a carriage return");
        return false;
      }
      if (i == line_begin_ + 1) {  // the empty line
        end = i + 1;
        return true;
      }
      line_begin_ = i + 1;
      if (++n_lines_ > limits_.max_headers + 1) {
        Refuse(431, StrCat("the request has more than ", limits_.max_headers, " headers"));
        return false;
      }
    } else if ((c == ' ' || c == '\t') && i == line_begin_) {
      Refuse(400, n_lines_ ? "a header is folded over lines" : "the request begins with a space");
      return false;
    } else if ((c >= 0 && c < ' ' && c != '\t' && c != '\r') || c == 127) {
      Refuse(400, "a control character stands in the head of the request");
      return false;
    }
  }
  return false;
}

size_t RequestReader::FeedHead(std::string_view input) {
  // One empty line before a request line is allowed: old clients end a body with one.
  size_t skipped = 0;
  if (n_scanned_ == 0 && input.starts_with("\r\n")) {
    input.remove_prefix(2);
    skipped = 2;
    if (skipped_line_ || input.starts_with("\r\n")) Refuse(400, "empty lines stand where a request should begin");
    skipped_line_ = true;
  }
  if (n_scanned_ == 0 && input == "\r") return skipped;
  size_t end = 0;
  if (state_ == State::kFailed || !ScanHead(input, end)) return skipped;
  parser_ = std::make_unique<Parser>(*this);
  boost::beast::error_code ec;
  size_t taken = 0;
  while (!ec && !parser_->is_header_done() && taken < end && state_ == State::kHead) {
    taken += parser_->put(asio::const_buffer(input.data() + taken, end - taken), ec);
  }
  if (state_ == State::kFailed) return skipped;
  if (ec || !parser_->is_header_done() || taken != end) {
    Refuse(400, StrCat("the head of the request is not HTTP/1.1: ", ec ? ec.message() : "it ends early"));
    return skipped;
  }
  FinishHead();
  return skipped + end;
}

void RequestReader::TakeField(std::string_view name, std::string_view value) {
  std::string lower = LowerCase(name);
  if (lower == "host") {
    ++n_hosts_;
  } else if (lower == "content-length") {
    ++n_lengths_;
    uint64_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (value.empty() || error != std::errc() || end != value.data() + value.size() || value.size() > 18) {
      Refuse(400, StrCat("Content-Length is ", Quote(value), ", not a number of bytes"));
    }
    content_length_ = length;
  } else if (lower == "transfer-encoding") {
    ++n_codings_;
    chunked_ = LowerCase(value) == "chunked";
    if (!chunked_) Refuse(400, StrCat("the transfer coding ", Quote(value), " is not known; use chunked"));
  } else if (lower == "expect") {
    expects_continue_ = LowerCase(value) == "100-continue";
    if (!expects_continue_) Refuse(417, StrCat("the expectation ", Quote(value), " is not known"));
  }
  request_.headers.emplace_back(std::move(lower), value);
}

void RequestReader::FinishHead() {
  if (n_lengths_ + n_codings_ > 1) return Refuse(400, "the length of the body is given more than once");
  if (chunked_ && !http11_) return Refuse(400, "HTTP/1.0 knows no transfer codings");
  if (n_hosts_ > 1 || (n_hosts_ == 0 && http11_)) return Refuse(400, "a request needs one Host header");
  const std::string_view connection = request_.header("connection");
  keep_alive_ = http11_ ? !ListHas(connection, "close") : ListHas(connection, "keep-alive");
  expects_continue_ = expects_continue_ && http11_ && has_body();
  const bool all = target_ == "*" && request_.method == "OPTIONS";
  if (all) request_.path = "*";
  if (!all && !ParseTarget(target_, request_.path, request_.query)) {
    return Refuse(400, StrCat("the target ", Quote(target_), " is no valid path"));
  }
  state_ = has_body() ? State::kBody : State::kDone;
}

bool RequestReader::TakeBody(std::string_view bytes) {
  std::string& body = request_.body;
  if (discard_) return true;
  if (body.size() + bytes.size() > limits_.max_body) return false;
  if (body.empty() && content_length_) body.reserve(std::min<uint64_t>(*content_length_, 1 << 20));
  body.append(bytes);
  return true;
}

size_t RequestReader::FeedBody(std::string_view input) {
  size_t taken = 0;
  boost::beast::error_code ec;
  while (taken < input.size() && !parser_->is_done()) {
    taken += parser_->put(asio::const_buffer(input.data() + taken, input.size() - taken), ec);
    if (ec) break;
  }
  if (ec == http::error::need_more) {
    if (input.size() - taken > limits_.max_head) Refuse(431, "a line between chunks is too long");
  } else if (ec == http::error::body_limit) {
    Refuse(413, StrCat("the body is larger than ", limits_.max_body, " bytes"));
  } else if (ec) {
    Refuse(400, StrCat("the body is not chunked as HTTP demands: ", ec.message()));
  }
  if (state_ == State::kBody && parser_->is_done()) state_ = State::kDone;
  return taken;
}

}  // namespace lfm::server
