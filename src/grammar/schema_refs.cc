// Identifiers, anchors and references of JSON Schema documents.
#include <algorithm>

#include "base/strings.h"
#include "grammar/schema.h"

namespace lfm::grammar {
namespace {

struct Uri {
  std::string scheme, authority, path, query, fragment;
  bool has_authority = false, has_query = false, has_fragment = false;
};

Uri Split(std::string_view text) {
  Uri uri;
  if (const size_t hash = text.find('#'); hash != std::string_view::npos) {
    uri.fragment = text.substr(hash + 1), uri.has_fragment = true, text = text.substr(0, hash);
  }
  if (const size_t mark = text.find('?'); mark != std::string_view::npos) {
    uri.query = text.substr(mark + 1), uri.has_query = true, text = text.substr(0, mark);
  }
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos && colon > 0 && text.substr(0, colon).find_first_of("/?#[]@") == std::string_view::npos) {
    uri.scheme = text.substr(0, colon), text = text.substr(colon + 1);
  }
  if (text.substr(0, 2) == "//") {
    text = text.substr(2), uri.has_authority = true;
    const size_t slash = std::min(text.find('/'), text.size());
    uri.authority = text.substr(0, slash), text = text.substr(slash);
  }
  uri.path = text;
  return uri;
}

std::string RemoveDots(std::string_view path) {
  std::vector<std::string_view> parts;
  size_t at = 0;
  bool ends_open = false;
  while (at <= path.size()) {
    const size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    ends_open = part == "." || part == "..";
    if (part == "..") {
      if (parts.size() > 1) parts.pop_back();
    } else if (part != ".") {
      parts.push_back(part);
    }
    at = slash + 1;
  }
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) out += (i > 0 ? "/" : "") + std::string(parts[i]);
  return ends_open ? out + "/" : out;
}

// RFC 3986, 5.2; the fragment is left out.
std::string ResolveUri(std::string_view base_text, std::string_view reference, std::string* fragment) {
  const Uri base = Split(base_text);
  Uri uri = Split(reference);
  if (fragment != nullptr) *fragment = uri.fragment;
  if (uri.scheme.empty()) {
    uri.scheme = base.scheme;
    if (!uri.has_authority) {
      uri.authority = base.authority, uri.has_authority = base.has_authority;
      if (uri.path.empty()) {
        uri.path = base.path;
        if (!uri.has_query) uri.query = base.query, uri.has_query = base.has_query;
      } else if (uri.path[0] != '/') {
        const size_t slash = base.path.rfind('/');
        const std::string folder = slash != std::string::npos ? base.path.substr(0, slash + 1) : base.has_authority ? "/" : "";
        uri.path = folder + uri.path;
      }
    }
  }
  if (!uri.scheme.empty() || uri.has_authority)
    uri.path = uri.path.find('/') != std::string::npos ? RemoveDots(uri.path) : uri.path;
  std::string out;
  if (!uri.scheme.empty()) out += uri.scheme + ":";
  if (uri.has_authority) out += "//" + uri.authority;
  out += uri.path;
  if (uri.has_query) out += "?" + uri.query;
  return out;
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  const auto hex = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) << 4 | hex(text[i + 2])), i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string Escaped(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Unescaped(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      out += token[++i] == '0' ? '~' : '/';
    } else {
      out += token[i];
    }
  }
  return out;
}

constexpr std::string_view kSingle[] = {"items",
                                        "additionalItems",
                                        "additionalProperties",
                                        "unevaluatedProperties",
                                        "unevaluatedItems",
                                        "contains",
                                        "propertyNames",
                                        "not",
                                        "if",
                                        "then",
                                        "else"};
constexpr std::string_view kLists[] = {"allOf", "anyOf", "oneOf", "prefixItems", "items"};
constexpr std::string_view kMaps[] = {"properties",  "patternProperties", "$defs",
                                      "definitions", "dependentSchemas",  "dependencies"};

std::optional<Dialect> DialectOf(std::string_view uri) {
  while (!uri.empty() && uri.back() == '#') uri.remove_suffix(1);
  const size_t colon = uri.find("://");
  if (colon != std::string_view::npos) uri = uri.substr(colon + 3);
  if (uri == "json-schema.org/draft-04/schema") return Dialect::kDraft4;
  if (uri == "json-schema.org/draft-06/schema") return Dialect::kDraft6;
  if (uri == "json-schema.org/draft-07/schema") return Dialect::kDraft7;
  if (uri == "json-schema.org/draft/2019-09/schema") return Dialect::k2019;
  if (uri == "json-schema.org/draft/2020-12/schema") return Dialect::k2020;
  if (uri == "json-schema.org/schema") return Dialect::kUnknown;
  return std::nullopt;
}

}  // namespace

// Walks the places where schemas stand, so that an "$id" inside an enum is no identifier.
void Schemas::Index(const Json& document, Dialect dialect) {
  struct Place {
    const Json* schema;
    std::string pointer;
    uint32_t resource;
  };
  // Each document is a world of its own: a reference without a name stays inside.
  const std::string base = resources_.empty() ? "" : StrCat("document:", documents_.size());
  resources_.push_back({.uri = base, .root = &document, .pointer = "", .dialect = dialect});
  std::vector<Place> waiting{{&document, "", static_cast<uint32_t>(resources_.size() - 1)}};
  while (!waiting.empty() && !error_) {
    Place place = std::move(waiting.back());
    waiting.pop_back();
    const Json& schema = *place.schema;
    if (!schema.is_object()) continue;
    Dialect own = resources_[place.resource].dialect;
    if (const Json* name = schema.Find("$schema"); name != nullptr && name->is_string()) {
      const auto known = DialectOf(name->AsString());
      if (!known) {
        return Fail(ErrorCode::kUnsupported, "$schema", place.pointer,
                    StrCat("the dialect ", Quote(name->AsString()), " is not known; drafts 4, 6, 7, 2019-09 and 2020-12 are"));
      }
      own = *known;
    }
    const bool old = own == Dialect::kDraft4 || own == Dialect::kDraft6 || own == Dialect::kDraft7;
    const bool hidden = old && schema.Find("$ref") != nullptr && schema["$ref"].is_string();
    const Json* id = schema.Find(own == Dialect::kDraft4 ? "id" : "$id");
    if (id != nullptr && id->is_string() && !hidden) {
      const std::string& text = id->AsString();
      if (!text.empty() && text[0] == '#') {
        resources_[place.resource].anchors[text.substr(1)] = {&schema, place.pointer};
      } else {
        std::string uri = ResolveUri(resources_[place.resource].uri, text, nullptr);
        if (place.pointer.empty()) {
          resources_[place.resource].uri = std::move(uri);
        } else {
          resources_.push_back({.uri = std::move(uri), .root = &schema, .pointer = place.pointer, .dialect = own});
          place.resource = static_cast<uint32_t>(resources_.size() - 1);
        }
      }
    }
    Resource& resource = resources_[place.resource];
    if (resource.root == &schema) {
      resource.dialect = own;
      resource.recursive_anchor = schema["$recursiveAnchor"].AsBool();
    }
    if (schema["$anchor"].is_string()) resource.anchors[schema["$anchor"].AsString()] = {&schema, place.pointer};
    if (schema["$dynamicAnchor"].is_string()) {
      resource.anchors[schema["$dynamicAnchor"].AsString()] = {&schema, place.pointer};
      resource.dynamic_anchors[schema["$dynamicAnchor"].AsString()] = {&schema, place.pointer};
    }
    resource_of_[&schema] = place.resource;
    const auto visit = [&](const Json& child, std::string pointer) {
      if (child.is_object()) waiting.push_back({&child, std::move(pointer), place.resource});
    };
    for (const std::string_view keyword : kSingle) {
      if (const Json* child = schema.Find(keyword)) visit(*child, StrCat(place.pointer, "/", keyword));
    }
    for (const std::string_view keyword : kLists) {
      const Json& list = schema[keyword];
      if (!list.is_array()) continue;
      for (size_t i = 0; i < list.items().size(); ++i) visit(list.items()[i], StrCat(place.pointer, "/", keyword, "/", i));
    }
    for (const std::string_view keyword : kMaps) {
      const Json& map = schema[keyword];
      if (!map.is_object()) continue;
      for (const auto& [name, child] : map.members()) visit(child, StrCat(place.pointer, "/", keyword, "/", Escaped(name)));
    }
  }
}

uint32_t Schemas::ResourceOf(const Json* schema, uint32_t otherwise) const {
  const auto it = resource_of_.find(schema);
  return it == resource_of_.end() ? otherwise : it->second;
}

uint32_t Schemas::Enter(uint32_t scope, uint32_t resource) {
  const bool dynamic = std::any_of(resources_.begin(), resources_.end(),
                                   [](const Resource& r) { return r.recursive_anchor || !r.dynamic_anchors.empty(); });
  if (!dynamic) return 0;
  std::vector<uint32_t> list = scopes_[scope];
  if (std::find(list.begin(), list.end(), resource) != list.end()) return scope;
  list.push_back(resource);
  const auto [it, added] = scope_index_.emplace(list, static_cast<uint32_t>(scopes_.size()));
  if (added) scopes_.push_back(std::move(list));
  return it->second;
}

std::optional<Schemas::Leaf> Schemas::Resolve(const Leaf& from, std::string_view reference, std::string_view keyword) {
  std::string fragment;
  const std::string uri = ResolveUri(resources_[from.resource].uri, reference, &fragment);
  fragment = PercentDecode(fragment);
  const auto fail = [&](std::string_view what) {
    Fail(ErrorCode::kUnsupported, std::string(keyword), from.pointer, StrCat("the reference ", Quote(reference), " ", what));
    return std::nullopt;
  };
  uint32_t index = UINT32_MAX;
  for (uint32_t i = 0; i < resources_.size(); ++i) {
    if (resources_[i].uri == uri) {
      index = i;
      break;
    }
  }
  if (index == UINT32_MAX) return fail("points outside of the document; put the schema it means into $defs");
  const Resource* resource = &resources_[index];
  Leaf to{resource->root, resource->pointer, index, from.scope};
  if (keyword == "$recursiveRef" && resource->recursive_anchor) {
    for (const uint32_t outer : scopes_[from.scope]) {
      if (resources_[outer].recursive_anchor) return Leaf{resources_[outer].root, resources_[outer].pointer, outer, from.scope};
    }
    return to;
  }
  if (fragment.empty()) return to;
  if (fragment[0] != '/') {
    if (keyword == "$dynamicRef" && resource->dynamic_anchors.count(fragment) != 0) {
      for (const uint32_t outer : scopes_[from.scope]) {
        const auto it = resources_[outer].dynamic_anchors.find(fragment);
        if (it != resources_[outer].dynamic_anchors.end()) return Leaf{it->second.first, it->second.second, outer, from.scope};
      }
    }
    const auto it = resource->anchors.find(fragment);
    if (it == resource->anchors.end()) return fail("names an anchor that the document does not have");
    to.schema = it->second.first, to.pointer = it->second.second;
    return to;
  }
  size_t at = 1;
  while (at <= fragment.size()) {
    const size_t slash = std::min(fragment.find('/', at), fragment.size());
    const std::string token = Unescaped(std::string_view(fragment).substr(at, slash - at));
    const Json* next = nullptr;
    if (to.schema->is_object()) {
      next = to.schema->Find(token);
    } else if (to.schema->is_array() && !token.empty() && token.size() < 9 &&
               token.find_first_not_of("0123456789") == std::string::npos) {
      const size_t i = std::stoul(token);
      if (i < to.schema->items().size()) next = &to.schema->items()[i];
    }
    if (next == nullptr) return fail("points at nothing");
    to.schema = next, to.pointer += "/" + Escaped(token), to.resource = ResourceOf(next, to.resource);
    at = slash + 1;
  }
  return to;
}

}  // namespace lfm::grammar
