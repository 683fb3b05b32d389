//! What expressions mean: as in Kubernetes, where nothing else is said.

use super::said;

#[test]
fn what_is_true_in_kubernetes_is_true() {
    for expression in [
        "object.spec.replicas <= 3 && object.metadata.name == 'weather'",
        "object.spec.replicas < 2.5 && object.spec.config.ratio > 1",
        "object.spec.image.repository.startsWith('ghcr.io/acme/')",
        "object.spec.image.tag.matches('^[0-9]+[.][0-9]+')",
        "object.spec.image.tag.find('[0-9]+') == '1'",
        "object.metadata.labels['app.kubernetes.io/part-of'] == 'shop'",
        "'app.kubernetes.io/part-of' in object.metadata.labels",
        "!('owner' in object.metadata.labels)",
        "has(object.metadata.labels.team) && !has(object.metadata.annotations)",
        "has(object.spec.config.nothing) && object.spec.config.nothing == null",
        "object.spec.secrets.all(s, s.awsSecretKey.startsWith(object.metadata.namespace + '/'))",
        "object.spec.secrets.exists(s, s.name == 'a') && object.spec.secrets.exists_one(s, s.name == 'b')",
        "object.spec.secrets.map(s, s.name) == ['a', 'b'] && object.spec.secrets.filter(s, s.name > 'a').size() == 1",
        "object.spec.secrets.map(s, s.name == 'b', s.awsSecretKey) == ['tools/b']",
        "size(object.spec.secrets) == 2 && object.spec.secrets[1].name == 'b'",
        "object.metadata.labels.all(key, key.size() > 3)",
        "'ä'.size() == 1 && size('ä€') == 2 && size([1]) == 1 && object.metadata.labels.size() == 2",
        "object.spec.?image.?digest.orValue('none') == 'none'",
        // The API server keeps a null where a field may be null, and takes it for absent.
        "!has(object.spec.image.digest) && !('digest' in object.spec.image)",
        "object.spec.?image.?tag.orValue('none') == '1.2.3'",
        "object.spec.?missing.image.hasValue() == false",
        "object.metadata.?labels[?'team'].orValue('') == 'payments'",
        "object.spec.replicas > 1 ? has(object.spec.image.tag) : false",
        // Errors count only where they decide.
        "object.spec.missing == 1 || object.spec.replicas == 2",
        "object.spec.replicas == 2 || object.spec.missing == 1",
        "!(object.spec.missing == 1 && object.spec.replicas == 3)",
        "[1, 0].exists(x, 2 / x == 2)",
        // Numbers of different kinds.
        "object.spec.replicas == 2.0 && object.spec.replicas == 2u && object.spec.replicas != 2.5",
        "2.0 == object.spec.replicas && int(object.spec.config.ratio) == 1",
        "oldObject == null && dyn(object.spec.replicas) == 2",
        "cel.bind(image, object.spec.image, image.repository + ':' + image.tag) == 'ghcr.io/acme/weather:1.2.3'",
    ] {
        assert_eq!(said(expression), "true", "{expression}");
    }
}

#[test]
fn the_libraries_of_kubernetes_are_there() {
    for expression in [
        "quantity(object.spec.resources.limits.memory).isLessThan(quantity('1Gi'))",
        "quantity('500m').compareTo(quantity(object.spec.resources.limits.cpu)) == 0 && isQuantity('1Gi')",
        "quantity('1').add(quantity('500m')).isGreaterThan(quantity('1'))",
        "url('https://example.com:8443/a?b=c').getHost() == 'example.com:8443' && !isURL('a b')",
        "url('https://example.com:8443/a').getHostname() == 'example.com'",
        "ip('10.0.0.1').family() == 4 && isIP('::1') && !isIP('ten')",
        "cidr('10.0.0.0/8').containsCIDR(object.spec.networkPolicy.egress[0].cidr)",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').prefixLength() == 8",
        "semver(object.spec.image.tag).isGreaterThan(semver('1.2.0')) && isSemver('1.0.0')",
        "sets.contains(['a', 'b', 'c'], object.spec.secrets.map(s, s.name))",
        "sets.intersects(request.userInfo.groups, ['developers']) && sets.equivalent([1, 2], [2, 1])",
        "[3, 1, 2].sort() == [1, 2, 3] && [1, 2].sum() == 3 && [1, 2].max() == 2 && [1, 2, 2].distinct() == [1, 2]",
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && 'AbC'.lowerAscii() == 'abc'",
        "'abc'.substring(1) == 'bc' && ' a '.trim() == 'a' && 'abc'.indexOf('c') == 2 && 'aa'.replace('a', 'b') == 'bb'",
        "'%s has %d'.format(['x', 2]) == 'x has 2'",
        "math.greatest(1, 2) == 2 && math.abs(-1) == 1",
        "!format.dns1123Label().validate(object.metadata.name).hasValue()",
        "base64.decode('aGk=') == b'hi'",
        "timestamp('2026-01-02T03:04:05Z').getHours() == 3 && duration('1h') > duration('59m')",
    ] {
        assert_eq!(said(expression), "true", "{expression}");
    }
}

#[test]
fn a_rule_knows_who_asks_where_and_what_becomes_of_it() {
    for expression in [
        "request.operation == 'CREATE' && request.userInfo.username == 'jane' && !request.dryRun",
        "request.userInfo.uid == '7' && request.userInfo.extra['example.com/scopes'] == ['a', 'b']",
        "request.namespace == 'tools' && request.name == 'weather' && request.kind.kind == 'MCPServer'",
        "namespaceObject.metadata.labels.env == 'prod' && namespaceObject.metadata.name == 'tools'",
        "!has(namespaceObject.metadata.annotations.freeze)",
        "rendered.exists(o, o.kind == 'Deployment' && o.spec.replicas == 2)",
        "params == null",
    ] {
        assert_eq!(said(expression), "true", "{expression}");
    }
}

/// What cannot be evaluated never passes.
#[test]
fn what_is_an_error_in_kubernetes_is_an_error() {
    let overload =
        "no such overload: an operator or a function has values of a type that it is not for";
    for (expression, reason) in [
        ("object.spec.missing == 1", "no such key: missing"),
        (
            "object.metadata.labels['owner'] != 'x'",
            "no such key: owner",
        ),
        ("!has(object.spec.missing.image)", "no such key: missing"),
        (
            "object.spec.secrets[2].name == 'c'",
            "index out of bounds: 2",
        ),
        ("object.spec.replicas", "it is neither true nor false"),
        ("1 / (object.spec.replicas - 2) == 1", "division by zero"),
        // The interpreter itself says false to each of these.
        ("!oldObject.spec", overload),
        ("!object.spec.image.tag.latest", overload),
        ("!has(object.spec.image.tag.latest)", overload),
        ("oldObject.spec.replicas != 5", overload),
        ("!object.spec.replicas", overload),
        ("object.spec.replicas > '1'", overload),
        (
            "object.spec.missing == 1 || object.spec.replicas == 3",
            "no such key: missing",
        ),
        ("[1, 2].all(x, x == y)", "`y` is not known here"),
        ("nobody.knows == 1", "`nobody` is not known here"),
    ] {
        assert_eq!(said(expression), reason, "{expression}");
    }
    assert!(
        said("object.spec.image.tag.matches('(')")
            .starts_with("matches: \"(\" is no regular expression")
    );
    assert!(said("quantity('much').sign() == 1").contains("quantity"));
}
