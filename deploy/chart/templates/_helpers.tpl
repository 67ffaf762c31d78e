{{/* Labels of every object. */}}
{{- define "netreeve.labels" -}}
app.kubernetes.io/name: netreeve
app.kubernetes.io/part-of: netreeve
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What finds the pods of one program: (dict "name" "netreeve-serve"). It never changes. */}}
{{- define "netreeve.selector" -}}
app.kubernetes.io/name: netreeve
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "netreeve.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "netreeve.controller" -}}
system:serviceaccount:{{ .Release.Namespace }}:netreeve-control
{{- end }}

{{- define "netreeve.lease" -}}
{{ .Release.Namespace }}/netreeve-control
{{- end }}

{{/* Never judged, in addition to the namespaces of the system. */}}
{{- define "netreeve.excludedNamespaces" -}}
{{ concat (list .Release.Namespace) (.Values.config.excludedNamespaces | default list) | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The names of all namespaces in which nothing is judged. */}}
{{- define "netreeve.neverJudged" -}}
{{- $system := (.Files.Get "files/registration.yaml" | fromYaml).systemNamespaces }}
{{- include "netreeve.excludedNamespaces" . | fromJsonArray | concat $system | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The GateConfig as a document. */}}
{{- define "netreeve.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $baseline := $config.baseline | default dict }}
{{- if not (hasKey $baseline "controllers") }}
{{- $_ := set $baseline "controllers" (list (include "netreeve.controller" .)) }}
{{- end }}
{{- $_ := set $config "baseline" $baseline }}
{{- $_ := set $config "excludedNamespaces" (include "netreeve.excludedNamespaces" . | fromJsonArray) }}
{{- $_ := set $config "stage" .Values.stage -}}
apiVersion: netreeve.io/v1alpha1
kind: GateConfig
{{ toYaml $config }}
{{- end }}

{{/* What both pods have: (dict "root" $ "name" "netreeve-serve" "values" .Values.serve). */}}
{{- define "netreeve.scheduling" -}}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: {{ $.root.Values.topologySpread }}
    labelSelector:
      matchLabels:
        {{- include "netreeve.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
securityContext:
  runAsNonRoot: true
  {{- with .root.Values.podSecurityContext }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "netreeve.container" -}}
image: {{ include "netreeve.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- with .values.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
# Liveness is the event loop alone, and generous: a restart heals nothing else.
startupProbe:
  httpGet: {path: /livez, port: health}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{- define "netreeve.podMetadata" -}}
labels:
  {{- include "netreeve.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: netreeve
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* One webhook configuration, complete but for caBundle: (dict "root" $ "kind" "Validating" ...). */}}
{{- define "netreeve.webhooks" -}}
{{- $root := .root }}
{{- $registration := $root.Files.Get "files/registration.yaml" | fromYaml }}
{{- $rules := index $registration .path }}
{{- $excluded := include "netreeve.neverJudged" $root | fromJsonArray }}
apiVersion: admissionregistration.k8s.io/v1
kind: {{ .kind }}WebhookConfiguration
metadata:
  name: 00-netreeve
webhooks:
  # Everything that lies in a namespace.
  - name: gate.netreeve.io
    {{- include "netreeve.webhook" . | nindent 4 }}
    namespaceSelector:
      matchExpressions:
        # The API server itself sets this label, so nobody can hide behind it.
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values:
            {{- toYaml $excluded | nindent 12 }}
    matchConditions:
      {{- include "netreeve.conditions" . | nindent 6 }}
      # Kubernetes' own endpoints of Services: were they to wait for the gate, an outage of the gate
      # would become one of every Service.
      - name: not-the-endpoints-of-kubernetes
        expression: >-
          !(request.resource.resource in ['endpoints', 'endpointslices'] &&
          request.userInfo.username in {{ $registration.endpointWriters | toJson | replace "\"" "'" }})
      {{- if eq .path "validating" }}
      # Of deletions only those of a baseline are judged, and never the end of a whole namespace.
      - name: only-deletions-of-baselines
        expression: >-
          request.operation != 'DELETE' ||
          (!(request.userInfo.username in ['system:serviceaccount:kube-system:namespace-controller',
          'system:kube-controller-manager']) &&
          has(oldObject.metadata.labels) && 'netreeve.io/baseline' in oldObject.metadata.labels)
      {{- end }}
    rules:
      {{- toYaml $rules.Namespaced | nindent 6 }}
      {{- range $root.Values.config.workloads }}
      - apiGroups: [{{ .group | quote }}]
        apiVersions: ["*"]
        resources: [{{ .resource | quote }}]
        operations: [CREATE, UPDATE]
        scope: "*"
      {{- end }}
  # Namespaces themselves. Not by a selector: the labels of one that is being created are what its
  # creator wrote, until it has a name.
  - name: namespaces.netreeve.io
    {{- include "netreeve.webhook" . | nindent 4 }}
    matchConditions:
      {{- include "netreeve.conditions" . | nindent 6 }}
      - name: not-a-namespace-of-the-system
        expression: >-
          !has(request.name) || !(request.name in {{ $excluded | toJson | replace "\"" "'" }})
    rules:
      {{- toYaml $rules.Cluster | nindent 6 }}
{{- end }}

{{- define "netreeve.webhook" -}}
clientConfig:
  service:
    namespace: {{ .root.Release.Namespace }}
    name: netreeve-serve
    port: 443
    path: {{ if eq .path "mutating" }}/mutate{{ else }}/validate{{ end }}
admissionReviewVersions: [v1]
failurePolicy: {{ if eq .root.Values.stage "enforce" }}Fail{{ else }}Ignore{{ end }}
timeoutSeconds: {{ index .root.Values.webhooks.timeoutSeconds .path }}
matchPolicy: Equivalent
sideEffects: None
{{- if eq .path "mutating" }}
# What later webhooks add, containers of a mesh above all, is looked at as well.
reinvocationPolicy: IfNeeded
{{- end }}
{{- end }}

{{/* What a ValidatingAdmissionPolicy does in this stage. */}}
{{- define "netreeve.validationActions" -}}
{{ get (dict "audit" "[Audit]" "warn" "[Warn, Audit]" "enforce" "[Deny]") .Values.stage }}
{{- end }}

{{- define "netreeve.conditions" -}}
# What the API server does by itself, and what heals the gate, never waits for the gate.
- name: not-the-api-server
  expression: request.userInfo.username != 'system:apiserver'
- name: not-our-controller
  expression: request.userInfo.username != '{{ include "netreeve.controller" .root }}'
# Taking a finalizer away changes nothing else; what cannot go, a namespace too, would hold up others.
- name: not-the-end-of-what-is-being-deleted
  expression: >-
    !(request.operation == 'UPDATE' && !has(request.subResource) &&
    has(oldObject.metadata.deletionTimestamp) &&
    has(object.spec) && has(oldObject.spec) && object.spec == oldObject.spec &&
    {{- range $at, $field := list "labels" "annotations" }}
    has(object.metadata.{{ . }}) == has(oldObject.metadata.{{ . }}) &&
    (!has(object.metadata.{{ . }}) ||
    object.metadata.{{ . }} == oldObject.metadata.{{ . }}){{ if not $at }} &&{{ else }}){{ end }}
    {{- end }}
{{- end }}
