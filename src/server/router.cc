// Paths to handlers, and the lookups of a request. A few dozen routes: a walk over them takes less than a microsecond.
#include <algorithm>

#include "server/http.h"

namespace lfm::server {
namespace {

std::string_view Value(const Headers& all, std::string_view name) {
  for (const auto& [key, value] : all) {
    if (key == name) return value;
  }
  return {};
}

// "/v1/models/" -> {"v1", "models", ""}: an empty segment counts, so that it matches no "{name}".
std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> parts;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (;;) {
    const size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

// Whether a pattern covers the segments; fills `params`.
bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string_view>& parts, Headers& params) {
  params.clear();
  for (size_t i = 0; i < pattern.size(); ++i) {
    const std::string& want = pattern[i];
    if (i >= parts.size()) return false;
    if (want.ends_with("...}")) {
      std::string rest;
      for (size_t k = i; k < parts.size(); ++k) {
        if (k > i) rest += '/';
        rest += parts[k];
      }
      if (rest.empty()) return false;
      params.emplace_back(want.substr(1, want.size() - 5), std::move(rest));
      return true;
    }
    if (want.starts_with('{')) {
      if (parts[i].empty()) return false;
      params.emplace_back(want.substr(1, want.size() - 2), std::string(parts[i]));
    } else if (want != parts[i]) {
      return false;
    }
  }
  return pattern.size() == parts.size();
}

// The method's route among those that match the parts, and all methods that do. Routes without names go first.
Router::Match FindParts(const std::vector<Router::Route>& routes, std::string_view method,
                        const std::vector<std::string_view>& parts) {
  Router::Match found;
  Headers params;
  for (const Router::Route& route : routes) {
    if (!Matches(route.segments, parts, params)) continue;
    if (found.allow.find(route.method) == std::string::npos) {
      found.allow += found.allow.empty() ? route.method : ", " + route.method;
      if (route.method == "GET") found.allow += ", HEAD";
    }
    if (route.method != method) continue;
    if (!found.route || params.size() < found.params.size()) {
      found.route = &route;
      found.params = params;
    }
  }
  return found;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view lower_case_name) const { return Value(headers, lower_case_name); }
std::string_view HttpRequest::query_value(std::string_view name) const { return Value(query, name); }
std::string_view HttpRequest::param(std::string_view name) const { return Value(params, name); }

void Router::Add(std::string method, std::string_view pattern, Handler handler, RouteOptions options) {
  Route route{std::move(method), {}, std::move(handler), options};
  for (const std::string_view part : Split(pattern)) route.segments.emplace_back(part);
  routes_.push_back(std::move(route));
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  if (!path.starts_with('/')) return {};
  std::vector<std::string_view> parts = Split(path);
  Match found = FindParts(routes_, method, parts);
  if (!found.allow.empty() || parts.front() == "v1") return found;
  parts.insert(parts.begin(), "v1");
  return FindParts(routes_, method, parts);
}

}  // namespace lfm::server
