{{- define "mcp-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
What cannot work is refused before anything is made, with the reason. What depends on the cluster is only known where there is
one: `helm template` knows none.
*/}}
{{- define "mcp-operator.preflight" -}}
{{- $home := .Release.Namespace -}}
{{- if hasPrefix "kube-" $home -}}
{{- fail (printf "the operator writes nothing in namespaces that begin with kube-: install it into another one than %s, such as mcp-operator-system" $home) -}}
{{- end -}}
{{- if and (eq .Values.certificates.mode "secret") (not .Values.certificates.caBundle) -}}
{{- fail "certificates.mode is `secret`: certificates.caBundle must have the certificate authority of that Secret in PEM, or the API server cannot call the webhook" -}}
{{- end -}}
{{- if lookup "v1" "Namespace" "" "kube-system" -}}
{{- range list "ValidatingWebhookConfiguration" "MutatingWebhookConfiguration" -}}
{{- $found := lookup "admissionregistration.k8s.io/v1" . "" "mcp-operator" -}}
{{- if $found -}}
{{- range $found.webhooks -}}
{{- $other := dig "clientConfig" "service" "namespace" "" . -}}
{{- if not $other -}}
{{- fail (printf "the webhook configurations point at %s, an operator that ran beside the cluster: `kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration mcp-operator`, then try again" (dig "clientConfig" "url" "an address" .)) -}}
{{- else if ne $other $home -}}
{{- fail (printf "the cluster has an operator in the namespace %s, and can have one only: uninstall that first" $other) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.certificates.mode "cert-manager") (not (.Capabilities.APIVersions.Has "cert-manager.io/v1")) -}}
{{- fail "certificates.mode is `cert-manager`, and the cluster has no cert-manager.io/v1: install cert-manager first, or leave certificates.mode at `self-signed`" -}}
{{- end -}}
{{- if and (or .Values.monitoring.serviceMonitor.enabled .Values.monitoring.alerts.enabled) (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail "monitoring.serviceMonitor or monitoring.alerts is enabled, and the cluster has no monitoring.coreos.com/v1: install the Prometheus Operator first, or leave them disabled" -}}
{{- end -}}
{{- if and .Values.monitoring.dashboards.enabled .Values.monitoring.dashboards.namespace (not (lookup "v1" "Namespace" "" .Values.monitoring.dashboards.namespace)) -}}
{{- fail (printf "there is no namespace %s for the dashboards: create it first, or leave monitoring.dashboards.namespace empty" .Values.monitoring.dashboards.namespace) -}}
{{- end -}}
{{- $namespaces := .Values.watchNamespaces -}}
{{- if $namespaces -}}
{{- range .Values.gateways -}}
{{- $namespaces = append $namespaces .namespace -}}
{{- end -}}
{{- end -}}
{{- range $namespaces -}}
{{- if not (lookup "v1" "Namespace" "" .) -}}
{{- fail (printf "there is no namespace %s, in which the operator shall have permissions: create it first, or leave it out of watchNamespaces and gateways" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
A pod of the operator's image that does one thing and ends: `root`, and its `args`.
*/}}
{{- define "mcp-operator.helper-pod" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: mcp-operator
    image: {{ include "mcp-operator.image" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: [/mcp-operator]
    args: {{ toJson .args }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {cpu: 500m, memory: 128Mi}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
{{- end -}}

{{/* A name, in quotes where YAML would read a number or a Boolean: a namespace may be called 123, or on. */}}
{{- define "mcp-operator.name" -}}
{{- if or (not (regexMatch "^[a-z]" .)) (has . (list "y" "n" "yes" "no" "on" "off" "true" "false" "null")) -}}
{{ . | quote }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{/* Several of them, with commas. */}}
{{- define "mcp-operator.names" -}}
{{- range $at, $name := . -}}
{{ if $at }}, {{ end }}{{ include "mcp-operator.name" $name }}
{{- end -}}
{{- end -}}
